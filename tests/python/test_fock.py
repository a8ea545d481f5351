"""The Fock simulator against vectors that were computed independently, and against finite differences."""

import cv_vectors as vectors
import numpy as np
import pytest
import skerry
from skerry import FockSimulator, PhotonicCircuit

PRECISIONS = pytest.mark.parametrize(("dtype", "precision"), vectors.FILES)
NETWORKS = ["04_cvqnn_1mode", "05_cvqnn_2mode", "06_cvqnn_3mode", "07_cvqnn_4mode"]


def gate_matrix(name: str, params: list[float], modes: int, cutoff: int, precision: str) -> np.ndarray:
    circuit = PhotonicCircuit(modes).append(vectors.NAMES[name], params, list(range(modes)))
    simulator = FockSimulator(circuit, [cutoff] * modes, precision)
    return np.asarray(simulator.forward(kets=np.eye(cutoff**modes, dtype=complex), outputs=["kets"])["kets"]).T


def gate_derivative(name: str, params: list[float], which: int, modes: int, cutoff: int, precision: str) -> np.ndarray:
    """Element by element, by the reverse pass of Re and Im of every output of every basis state."""
    size = cutoff**modes
    arguments: list[object] = list(params)
    arguments[which] = (0, 1.0, 0.0)
    circuit = PhotonicCircuit(modes, weights=1).append(vectors.NAMES[name], arguments, list(range(modes)))
    simulator = FockSimulator(circuit, [cutoff] * modes, precision)
    simulator.set_weights(np.array([params[which]]))
    result = np.zeros((size, size), complex)
    for column in range(size):
        ket = np.zeros((1, size), complex)
        ket[0, column] = 1
        simulator.record(kets=ket, outputs=[])
        for row in range(size):
            for unit in (1, 1j):
                cotangent = np.zeros((1, size), complex)
                cotangent[0, row] = unit
                result[row, column] += unit * simulator.backward(1, {"kets": cotangent}, of_kets=True)[0][0]
    return result


def close(actual: np.ndarray, expected: np.ndarray | list[float], tolerance: float) -> None:
    assert np.abs(np.asarray(actual) - np.asarray(expected)).max() <= tolerance


@PRECISIONS
def test_gates_on_one_mode_are_the_exact_elements_and_so_are_their_derivatives(dtype: str, precision: str) -> None:
    data = vectors.load("01_gates_one_mode")
    tolerance, cutoff = data["tol_abs"][dtype], data["cutoff"]
    for gate in data["gates"]:
        actual = gate_matrix(gate["gate"], gate["params"], 1, cutoff, precision)
        close(actual, vectors.array(gate["matrix"]), tolerance)
        for which, expected in enumerate(gate["grads"]):
            derivative = gate_derivative(gate["gate"], gate["params"], which, 1, cutoff, precision)
            close(derivative, vectors.array(expected), tolerance)


def entries(rows: list[list[float]], cutoff: int) -> np.ndarray:
    matrix = np.zeros((cutoff**2, cutoff**2), complex)
    for m1, m2, n1, n2, re, im in rows:
        matrix[int(m1) * cutoff + int(m2), int(n1) * cutoff + int(n2)] = re + 1j * im
    return matrix


@PRECISIONS
def test_gates_on_two_modes_are_the_exact_elements_and_so_are_their_derivatives(dtype: str, precision: str) -> None:
    data = vectors.load("02_gates_two_mode")
    tolerance, cutoff = data["tol_abs"][dtype], data["cutoff"]
    for gate in data["gates"]:
        actual = gate_matrix(gate["gate"], gate["params"], 2, cutoff, precision)
        close(actual, entries(gate["entries"], cutoff), tolerance)
        for which, expected in enumerate(gate["grads"]):
            derivative = gate_derivative(gate["gate"], gate["params"], which, 2, cutoff, precision)
            close(derivative, entries(expected, cutoff), tolerance)


@PRECISIONS
def test_circuits_on_one_mode_leave_the_reference_states(dtype: str, precision: str) -> None:
    data = vectors.load("03_states_one_mode")
    for case in data["cases"]:
        simulator = FockSimulator(vectors.circuit_of(case["gates"], 1), [data["cutoff"]], precision)
        alpha = vectors.array(case["alphas"])[None]
        out = simulator.forward(alpha.real.copy(), alpha.imag.copy(), ["kets", "norm", "x", "p", "n", "n2"])
        tolerance = data["tol_abs"][dtype]
        close(out["kets"][0], vectors.array(case["state"]), tolerance)
        for name, value in case["outputs"].items():
            close(out[name][0], value, tolerance)


@PRECISIONS
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_the_reference_outputs_kets_and_gradients(name: str, dtype: str, precision: str) -> None:
    data = vectors.load(name)
    modes, tolerance = data["modes"], data["tol_abs"][dtype]
    simulator = FockSimulator(vectors.network(modes, data["layers"]), [data["cutoff"]] * modes, precision)
    simulator.set_weights(np.array(data["weights"]).ravel())
    re = np.array([out["alphas_re"] for out in data["outputs"]])
    im = np.array([out["alphas_im"] for out in data["outputs"]])
    batch = len(re)
    cotangents = {key[1]: np.tile(data[key], (batch, 1)) for key in ("cx", "cp", "cn")}
    out, gradients = simulator.gradient(cotangents, re, im, ["kets", "norm", "x", "p", "n", "n2"])
    for key in ("norm", "x", "p", "n", "n2"):
        close(out[key], [sample[key] for sample in data["outputs"]], tolerance)
    for index, state in enumerate(data["states"]):
        close(out["kets"][index], vectors.array(state).ravel(), tolerance)
    close(gradients[0], np.array(data["grad_weights"]).ravel(), tolerance)
    losses = sum((cotangents[key] * out[key]).sum(axis=1) for key in ("x", "p", "n"))
    close(losses, data["L_per_sample"], tolerance)
    latent = np.array(data["latent"])
    by_latent = np.zeros_like(latent)
    for j in range(latent.shape[1]):
        if data["encoding"]["kind"] == "coherent_state":
            q = j % (2 * modes)
            by_latent[:, j] = (gradients[1] if q % 2 == 0 else gradients[2])[:, q // 2]
        else:
            by_latent[:, j] = gradients[1][:, j % modes]
    close(by_latent * data["encoding"]["scale"], data["grad_latent"], tolerance)


def every_gate() -> tuple[PhotonicCircuit, np.ndarray]:
    """Phases before, between and after everything they do not commute with; modes in both orders; shared weights."""
    circuit = PhotonicCircuit(3, weights=18)
    weights = np.random.default_rng(5).normal(scale=0.3, size=18)
    w = [(i, 1.0, 0.0) for i in range(18)]
    circuit.append("kerr", [w[0]], [1]).append("cross_kerr", [w[1]], [2, 0]).append("squeezing", [w[2], w[3]], [1])
    circuit.append("displacement", [w[4], w[5]], [0]).append("cubic_phase", [w[6]], [2])
    circuit.append("rotation", [w[7]], [2]).append("beam_splitter", [w[8], w[9]], [2, 0])
    circuit.append("cross_kerr", [w[10]], [0, 1]).append("two_mode_squeezing", [w[11], w[12]], [1, 2])
    circuit.append("squeezing", [(2, -0.5, 0.1), w[13]], [2]).append("cross_kerr", [w[14]], [0, 1])
    circuit.append("displacement", [w[15], 0.4], [1]).append("kerr", [w[16]], [1]).append("rotation", [w[17]], [0])
    return circuit, weights


def test_gradients_of_every_gate_equal_central_differences() -> None:
    circuit, weights = every_gate()
    simulator = FockSimulator(circuit, [4, 5, 6])
    rng = np.random.default_rng(6)
    re, im = rng.normal(scale=0.4, size=(2, 5, 3))
    names = ["norm", "x", "p", "n", "n2"]
    cotangents = {n: rng.normal(size=(5,) if n == "norm" else (5, 3)) for n in names}
    cotangents["kets"] = rng.normal(size=(5, 120)) + 1j * rng.normal(size=(5, 120))

    def loss(w: np.ndarray, re: np.ndarray, im: np.ndarray) -> float:
        simulator.set_weights(w)
        out = simulator.forward(re, im, [*names, "kets"])
        value = sum((out[n] * cotangents[n]).sum() for n in names)
        return float(value + (out["kets"].conj() * cotangents["kets"]).sum().real)

    simulator.set_weights(weights)
    _, (by_weights, by_re, by_im) = simulator.gradient(cotangents, re, im)
    step = 1e-5
    for i in range(len(weights)):
        shift = step * np.eye(len(weights))[i]
        expected = (loss(weights + shift, re, im) - loss(weights - shift, re, im)) / (2 * step)
        assert by_weights[i] == pytest.approx(expected, abs=2e-8), f"weight {i}"
    for sample, mode in ((0, 0), (3, 1), (4, 2)):
        shift = np.zeros_like(re)
        shift[sample, mode] = step
        expected = (loss(weights, re + shift, im) - loss(weights, re - shift, im)) / (2 * step)
        assert by_re[sample, mode] == pytest.approx(expected, abs=2e-8)
        expected = (loss(weights, re, im + shift) - loss(weights, re, im - shift)) / (2 * step)
        assert by_im[sample, mode] == pytest.approx(expected, abs=2e-8)


@PRECISIONS
def test_a_sample_has_the_same_bits_alone_in_a_batch_and_on_any_number_of_threads(dtype: str, precision: str) -> None:
    circuit, weights = every_gate()
    simulator = FockSimulator(circuit, [4, 5, 6], precision)
    simulator.set_weights(weights)
    re, im = np.random.default_rng(7).normal(scale=0.4, size=(2, 53, 3))
    cotangents = {"x": np.ones((53, 3))}
    before = skerry.num_threads()
    try:
        skerry.set_num_threads(1)
        out, single = simulator.gradient(cotangents, re, im, ["kets", "x"])
        skerry.set_num_threads(4)
        again, threaded = simulator.gradient(cotangents, re, im, ["kets", "x"])
    finally:
        skerry.set_num_threads(before)
    assert all(np.array_equal(out[name], again[name]) for name in out)
    assert all(np.array_equal(a, b) for a, b in zip(single, threaded, strict=True))
    for i in (0, 17, 52):
        alone, gradients = simulator.gradient({"x": np.ones((1, 3))}, re[i : i + 1], im[i : i + 1], ["kets", "x"])
        assert np.array_equal(alone["kets"][0], out["kets"][i])
        assert np.array_equal(gradients[1][0], single[1][i])


def test_a_recorded_batch_gives_the_gradients_of_the_single_pass() -> None:
    circuit, weights = every_gate()
    simulator = FockSimulator(circuit, [4, 5, 6])
    simulator.set_weights(weights)
    re, im = np.random.default_rng(8).normal(scale=0.4, size=(2, 21, 3))
    cotangents = {"n": np.ones((21, 3))}
    _, expected = simulator.gradient(cotangents, re, im)
    simulator.record(re, im)
    for actual, wanted in zip(simulator.backward(21, cotangents), expected, strict=True):
        assert np.array_equal(actual, wanted)
    with pytest.raises(skerry.InvalidArgument, match="backward pass of 20 samples after a record of 21"):
        simulator.backward(20, {})


def test_mistakes_are_refused_with_what_to_do() -> None:
    with pytest.raises(skerry.OutOfRange, match="mode 2 of 2"):
        PhotonicCircuit(2).append("rotation", [0.1], [2])
    with pytest.raises(skerry.InvalidArgument, match="take one of displacement"):
        PhotonicCircuit(2).append("hadamard", [0.1], [0])
    with pytest.raises(skerry.OutOfRange, match="reads weight 3 of 1"):
        PhotonicCircuit(2, weights=1).append("rotation", [(3, 1.0, 0.0)], [0])
    with pytest.raises(skerry.Unsupported, match="density matrix"):
        FockSimulator(PhotonicCircuit(1).append("loss", [0.5], [0]), [4])
    with pytest.raises(skerry.OutOfRange, match="cutoff 0"):
        FockSimulator(PhotonicCircuit(1), [0])
    simulator = FockSimulator(PhotonicCircuit(1, weights=1).append("rotation", [(0, 1.0, 0.0)], [0]), [4])
    with pytest.raises(skerry.InvalidArgument, match="2 weights for a circuit of 1"):
        simulator.set_weights(np.zeros(2))
    with pytest.raises(skerry.InvalidArgument, match="not finite"):
        simulator.set_weights(np.array([np.nan]))
    fast = FockSimulator(PhotonicCircuit(1).append("cubic_phase", [1e9], [0]), [4])
    with pytest.raises(skerry.OutOfRange, match="turns too fast"):
        fast.forward(np.zeros((1, 1)), np.zeros((1, 1)))
