"""Photonic circuits from files, through every face: load, compile, plan, run, package, emit, command line."""

import json
import subprocess
from pathlib import Path
from typing import Any

import cv_vectors as vectors
import numpy as np
import pytest
import skerry
from skerry import cv
from skerry.circuits import emit

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DATA = REPOSITORY / "tests" / "data" / "photonic"
CLI = REPOSITORY / "build" / "release" / "apps" / "cli" / "skerry"
SPELLED = {
    "D": "Dgate",
    "S": "Sgate",
    "R": "Rgate",
    "K": "Kgate",
    "V": "Vgate",
    "BS": "BSgate",
    "S2": "S2gate",
    "CK": "CKgate",
}


def loaded(text: str) -> skerry.Circuit:
    circuit = skerry.loads(text)
    assert isinstance(circuit, skerry.Circuit)
    return circuit


def blackbird(gates: list[dict[str, Any]], modes: int) -> str:
    lines = [f"{SPELLED[gate['g']]}({', '.join(map(repr, gate['p']))}) | {gate['m']}" for gate in gates]
    return "\n".join(["version 1.0", *(f"Vacuum() | {mode}" for mode in range(modes)), *lines]) + "\n"


def test_states_of_one_mode_are_the_reference_vectors() -> None:
    data = vectors.load("03_states_one_mode")
    for case in data["cases"]:
        alpha = complex(vectors.array(case["alphas"])[0])
        first = {"g": "D", "p": [abs(alpha), float(np.angle(alpha))], "m": [0]}
        circuit = skerry.loads(blackbird([first, *case["gates"]], 1))
        assert isinstance(circuit, skerry.Circuit)
        result = skerry.run(circuit, method="fock", cutoff=data["cutoff"], state=True)
        np.testing.assert_allclose(
            result.outputs["ket"], vectors.array(case["state"]), atol=data["tol_abs"]["complex128"]
        )


@pytest.mark.parametrize("name", ["11_gaussian_2mode", "12_gaussian_4mode_lossy"])
def test_gaussian_circuits_have_the_reference_moments(name: str) -> None:
    data = vectors.load(name)
    lost = "".join(f"LossChannel({data['loss_T_all_modes']}) | {mode}\n" for mode in range(data["modes"]))
    circuit = skerry.loads(blackbird(data["gates"], data["modes"]) + lost)
    result = skerry.run(circuit, state=True)
    assert result.method == "gaussian"
    np.testing.assert_allclose(result.outputs["mean"], data["mean"], atol=1e-10)
    np.testing.assert_allclose(result.outputs["covariance"], data["cov"], atol=1e-10)


@pytest.mark.parametrize(
    ("line", "act"),
    [
        ("Xgate(0.4) | 0", lambda x1, p1, x2, p2: (x1 + 0.4, p1, x2, p2)),
        ("Zgate(0.4) | 0", lambda x1, p1, x2, p2: (x1, p1 + 0.4, x2, p2)),
        ("Pgate(0.7) | 0", lambda x1, p1, x2, p2: (x1, p1 + 0.7 * x1, x2, p2)),
        ("Pgate(-0.7) | 0", lambda x1, p1, x2, p2: (x1, p1 - 0.7 * x1, x2, p2)),
        ("Fouriergate | 0", lambda x1, p1, x2, p2: (-p1, x1, x2, p2)),
        ("CXgate(0.6) | [0, 1]", lambda x1, p1, x2, p2: (x1, p1 - 0.6 * p2, x2 + 0.6 * x1, p2)),
        ("CZgate(0.6) | [0, 1]", lambda x1, p1, x2, p2: (x1, p1 + 0.6 * x2, x2, p2 + 0.6 * x1)),
    ],
)
def test_gates_that_are_taken_apart_move_quadratures_as_defined(line: str, act: Any) -> None:
    for x1, p1, x2, p2 in np.eye(4) + 0.25:
        start = f"Xgate({x1}) | 0\nZgate({p1}) | 0\nXgate({x2}) | 1\nZgate({p2}) | 1\n"
        out = skerry.run(skerry.loads(f"version 1.0\n{start}{line}\n"), method="gaussian").outputs
        found = (out["x"][0], out["p"][0], out["x"][1], out["p"][1])
        np.testing.assert_allclose(found, act(x1, p1, x2, p2), atol=1e-12)


def test_an_interferometer_is_its_matrix() -> None:
    rng = np.random.default_rng(3)
    unitary, _ = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
    rows = "\n".join("    " + ", ".join(f"{z.real!r} + {z.imag!r}j" for z in map(complex, row)) for row in unitary)
    alphas = rng.normal(size=4) + 1j * rng.normal(size=4)
    start = "".join(f"Coherent({float(abs(a))!r}, {float(np.angle(a))!r}) | {k}\n" for k, a in enumerate(alphas))
    text = f"version 1.0\ncomplex array U[4, 4] =\n{rows}\n{start}Interferometer(U) | [0, 1, 2, 3]\n"
    out = skerry.run(skerry.loads(text)).outputs
    np.testing.assert_allclose((out["x"] + 1j * out["p"]) / 2, unitary @ alphas, atol=1e-12)


def test_packages_texts_and_compilation_keep_the_circuit(tmp_path: Path) -> None:
    for file in ("teleportation.xbb", "boson_sampling.xbb", "cat.xbb", "network.json"):
        circuit = skerry.load(DATA / file)
        assert isinstance(circuit, skerry.Circuit)
        skerry.save(circuit, tmp_path / "c.skerry")
        assert skerry.load(tmp_path / "c.skerry") == circuit
        compiled = skerry.compile(circuit, level="high")
        assert compiled.program == circuit
        text = emit(circuit, "blackbird")
        assert emit(loaded(text), "blackbird") == text


def test_the_plan_says_which_method_and_why() -> None:
    plan = skerry.plan(skerry.load(DATA / "cat.xbb"), params={"kappa": 0.1, "theta": 0.2})
    assert plan.method == "fock"
    assert "gate 4 (kerr) leaves the Gaussian states" in plan.explain()
    assert skerry.plan(skerry.load(DATA / "boson_sampling.xbb"), shots=10).method == "gaussian"


def test_a_budget_is_honoured_before_anything_is_allocated() -> None:
    circuit = skerry.loads("version 1.0\n" + "".join(f"Kgate(0.1) | {mode}\n" for mode in range(6)))
    with pytest.raises(skerry.BudgetExceeded):
        skerry.run(circuit, cutoff=20, max_memory_mb=100)
    small = skerry.run(circuit, cutoff=3, max_memory_mb=100)
    assert small.peak_bytes == small.predicted_bytes <= 100e6


def test_results_have_parameters_by_name_and_report_the_leak() -> None:
    circuit = skerry.loads("version 1.0\nDgate({r}) | 0\nKgate({kappa}) | 0\n")
    result = skerry.run(circuit, params={"r": 2.0, "kappa": 0.0}, cutoff=3)
    kept = np.exp(-4.0) * sum(4.0**n / [1, 1, 2][n] for n in range(3))
    assert result.discarded_weight == pytest.approx(1 - kept)
    batch = skerry.run(circuit, params=[[0.1, 0.0], [0.2, 0.0]], cutoff=12)
    assert [r.outputs["x"][0] for r in batch] == pytest.approx([0.2, 0.4])


def test_what_is_for_qubits_is_refused_by_name() -> None:
    circuit = skerry.load(DATA / "boson_sampling.xbb")
    assert isinstance(circuit, skerry.Circuit)
    with pytest.raises(skerry.Unsupported, match="optical modes"):
        skerry.run(circuit, method="statevector")
    with pytest.raises(skerry.Error, match="Pauli"):
        skerry.run(circuit, observables=[skerry.Observable.parse("Z0", 3)])
    with pytest.raises(skerry.Unsupported, match="optical modes"):
        list(skerry.stream(circuit, shots=10))


def run_cli(*words: str | int | Path) -> Any:
    done = subprocess.run([CLI, *map(str, words), "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def test_the_command_line_runs_plans_and_writes_them(tmp_path: Path) -> None:
    found = run_cli("run", DATA / "teleportation.xbb", "--shots", 2000, "--seed", 4)
    assert found["method"] == "gaussian"
    samples = np.array(found["tensors"]["samples"].get("data", np.zeros(6000))).reshape(-1, 3)
    assert found["tensors"]["samples"]["shape"] == [2000, 3] and samples.shape == (2000, 3)
    leaking = run_cli("run", DATA / "network.json", "--param", "theta=0.3", "--shots", 50, "--method", "fock")
    assert 0 <= leaking["truncation_leak"] < 0.1
    assert run_cli("plan", DATA / "network.json", "--param", "theta=0.3")["method"] == "fock"
    assert run_cli("inspect", DATA / "cat.xbb")["operations"]["prepare_cat"] == 1
    assert run_cli("compile", DATA / "cat.xbb", "-o", tmp_path / "cat.xbb")["ok"]
    assert (tmp_path / "cat.xbb").read_text().startswith("name KerrCat\nversion 1.0\n")
    refused = run_cli("run", DATA / "invalid" / "unknown_gate.xbb")
    assert refused["error"]["where"] == "unknown_gate.xbb:3:1"


def test_circuits_over_modes_are_built_in_python() -> None:
    circuit = skerry.Circuit(2).append("squeezing", [0], [0.5, 0.0]).append("beam_splitter", [0, 1], [0.7, 0.2])
    assert repr(circuit) == "<Circuit: 2 modes, 0 bits, 2 instructions>"
    means = skerry.run(circuit).outputs["n"]
    assert means.sum() == pytest.approx(np.sinh(0.5) ** 2)
    circuit.append("measure_photons", [0]).append("measure_photons", [1])
    samples = skerry.run(circuit, shots=200, seed=1).outputs["samples"]
    assert samples.shape == (200, 2) and (samples.sum(axis=1) % 2 == 0).all()  # squeezers make pairs
    with pytest.raises(skerry.Error, match="in a circuit of"):
        skerry.run(circuit.copy().h(0) if hasattr(circuit, "copy") else circuit.h(0))


def test_gradients_of_a_loaded_circuit_equal_differences_of_its_runs() -> None:
    text = """version 1.0
Coherent(0.4, 0.2) | 0
Sgate({r}, 0.3) | 1
BSgate(2 * {theta} - 0.1, {phi} / 2) | [0, 1]
Kgate(0.1 + {kappa}) | 0
Rgate(-{theta}) | 1
MeasureX | 0
"""
    circuit = skerry.loads(text)
    assert isinstance(circuit, skerry.Circuit)
    values = np.array([0.3, 0.6, 0.4, 0.05])
    simulator = skerry.FockSimulator(skerry.PhotonicCircuit.from_circuit(circuit), [12, 12])
    simulator.set_weights(values)
    none = np.zeros((1, 2))
    out, (slopes, _, _) = simulator.gradient({"x": np.array([[1.0, -0.5]])}, none, none, ["x"])

    def loss(params: np.ndarray) -> float:
        x = skerry.run(circuit, params=list(params), cutoff=12).outputs["x"]
        return float(x[0] - 0.5 * x[1])

    assert out["x"][0, 0] - 0.5 * out["x"][0, 1] == pytest.approx(loss(values), abs=1e-12)
    for k in range(4):
        step = np.eye(4)[k] * 1e-5
        assert slopes[k] == pytest.approx((loss(values + step) - loss(values - step)) / 2e-5, abs=1e-8)
    with pytest.raises(skerry.Unsupported, match="scale"):
        skerry.PhotonicCircuit.from_circuit(loaded("version 1.0\nRgate(sin({a})) | 0\n"))


def matrix_text(name: str, matrix: Any) -> str:
    """A Blackbird array of complex numbers."""
    rows = [", ".join(f"{value.real!r}{value.imag:+}j" for value in row.tolist()) for row in matrix.astype(complex)]
    size = len(matrix)
    return "".join([f"complex array {name}[{size}, {size}] =\n", *(f"    {row}\n" for row in rows), "\n"])


def random_symplectic(rng: np.random.Generator, modes: int, squeezing: list[float]) -> Any:
    """Orthogonal, squeezing, orthogonal; rows x0, x1, ..., p0, p1, ..."""

    def turned() -> Any:
        unitary, _ = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))
        return np.block([[unitary.real, -unitary.imag], [unitary.imag, unitary.real]])

    r = np.array(squeezing)
    return turned() @ np.diag(np.concatenate([np.exp(-r), np.exp(r)])) @ turned()


@pytest.mark.parametrize("squeezing", [[0.3, 0.8, 0.1], [0.5, 0.5, -0.5], [0.0, 0.7, 0.0], [0.0, 0.0, 0.0]])
def test_a_gaussian_transformation_moves_moments_by_its_matrix(squeezing: list[float]) -> None:
    rng = np.random.default_rng(8)
    matrix = random_symplectic(rng, 3, squeezing)
    before = "Dgate(0.4, 0.3) | 0\nSgate(0.2) | 1\nThermal(0.3) | 2\n"
    start = skerry.run(loaded("version 1.0\n" + before), state=True).outputs
    text = "version 1.0\n" + matrix_text("S", matrix) + before + "GaussianTransform(S) | [0, 1, 2]\n"
    found = skerry.run(loaded(text), state=True).outputs
    np.testing.assert_allclose(found["mean"], matrix @ start["mean"], atol=1e-9)
    np.testing.assert_allclose(found["covariance"], matrix @ start["covariance"] @ matrix.T, atol=1e-9)
    # On the vacuum the first mesh does nothing and may be left out.
    alone = text.replace(before, "")
    whole, short = loaded(alone), loaded(alone.replace("(S)", "(S, vacuum=True)"))
    assert len(emit(short, "blackbird")) <= len(emit(whole, "blackbird"))
    covariance = skerry.run(short, state=True).outputs["covariance"]
    np.testing.assert_allclose(covariance, matrix @ matrix.T, atol=1e-9)


@pytest.mark.parametrize("is_complex", [False, True])
def test_amplitudes_of_an_embedded_graph_are_its_hafnians(is_complex: bool) -> None:
    rng = np.random.default_rng(9)
    graph = rng.normal(size=(4, 4)) + (1j * rng.normal(size=(4, 4)) if is_complex else 0)
    graph = (graph + graph.T).astype(complex)
    text = "version 1.0\n" + matrix_text("A", graph) + "GraphEmbed(A, mean_photon_per_mode=0.2) | [0, 1, 2, 3]\n"
    result = skerry.run(loaded(text), cutoff=4, probabilities=True)
    assert result.method == "gaussian"
    assert result.outputs["n"].sum() == pytest.approx(0.8, abs=1e-9)
    probabilities = result.probabilities
    assert probabilities is not None
    table = probabilities.reshape(4, 4, 4, 4)
    # P(n) = P(0) c^{2k} |haf(A_n)|² / n!, with one c for all: twice two photons give c, and others are predicted.
    pairs = {(i, j): abs(graph[i, j]) ** 2 for i in range(4) for j in range(i)}
    at = np.eye(4, dtype=int)
    ratios = [table[tuple(at[i] + at[j])] / table[0, 0, 0, 0] / weight for (i, j), weight in pairs.items()]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-8)
    four = cv.hafnian(graph)
    np.testing.assert_allclose(table[1, 1, 1, 1] / table[0, 0, 0, 0], ratios[0] ** 2 * abs(four) ** 2, rtol=1e-8)
    np.testing.assert_allclose(table[2, 0, 0, 0] / table[0, 0, 0, 0], ratios[0] * abs(graph[0, 0]) ** 2 / 2, rtol=1e-8)


@pytest.mark.parametrize(("method", "shots"), [("gaussian", 6000), ("fock", 250)])
def test_heterodyne_outcomes_displace_other_modes(method: Any, shots: int) -> None:
    alpha = 0.4 - 0.3j
    text = f"""version 1.0
Coherent({abs(alpha)!r}, {float(np.angle(alpha))!r}) | 0
MeasureHeterodyne() | 0
Dgate(q0*(1+1j)/(1+1j)) | 1
Dgate(conj(q0), pi/2) | 2
Xgate(2*im(q0)) | 3
MeasureX | 1
MeasureP | 1
MeasureX | 2
MeasureX | 3
"""
    # Two quadratures of one mode: the second is measured on the vacuum that the first one leaves.
    result = skerry.run(loaded(text), shots=shots, seed=3, method=method, cutoff=10)
    re, im, x, left, turned, moved = result.outputs["samples"].T
    spread = np.sqrt(1.0 / shots)
    assert re.mean() == pytest.approx(alpha.real, abs=5 * spread)
    assert im.mean() == pytest.approx(alpha.imag, abs=5 * spread)
    assert re.var() == pytest.approx(0.5, rel=8 * spread)
    # What is measured less where it was put is the vacuum's noise: shot by shot, not on average.
    tolerance = 8 * spread if method == "gaussian" else 0.4
    for rest in (x - 2 * re, left, turned - 2 * im, moved - 2 * im):
        assert rest.mean() == pytest.approx(0, abs=6 * spread + tolerance / 4)
        assert rest.var() == pytest.approx(1, abs=tolerance)


def test_complex_outcomes_are_refused_where_a_real_number_is_needed() -> None:
    with pytest.raises(skerry.SemanticError, match="complex value that only a run knows") as refused:
        skerry.loads("version 1.0\nMeasureHD | 0\nRgate(q0) | 1\n")
    assert "re(), im() or abs()" in str(refused.value)
    with pytest.raises(skerry.SemanticError, match="not symplectic"):
        skerry.loads("version 1.0\n" + matrix_text("S", 2 * np.eye(2)) + "GaussianTransform(S) | 0\n")
    with pytest.raises(skerry.SemanticError, match="not symmetric"):
        skerry.loads("version 1.0\n" + matrix_text("A", np.triu(np.ones((2, 2)))) + "GraphEmbed(A) | [0, 1]\n")
