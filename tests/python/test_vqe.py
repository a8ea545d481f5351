"""The variational eigensolver against closed forms, dense matrices and exact diagonalisation."""

import json
from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry.vqe import LBFGS, SPSA, Adam, GradientDescent, NaturalGradient, OptimizedVQE, Optimizer

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples/data"
PAULI = {"X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1.0, -1.0])}
Terms = list[tuple[str, list[int], float]]


def dense(terms: Terms, qubits: int) -> np.ndarray:
    total = np.zeros((2**qubits, 2**qubits), dtype=complex)
    for letters, wires, weight in terms:
        on = dict(zip(wires, letters, strict=True))
        product = np.eye(1)
        for qubit in range(qubits):
            product = np.kron(PAULI[on[qubit]] if qubit in on else np.eye(2), product)
        total += weight * product
    return total


def layers(qubits: int, depth: int) -> skerry.Circuit:
    circuit = skerry.Circuit(qubits)
    for layer in range(depth + 1):
        for qubit in range(qubits):
            circuit.ry(skerry.Parameter(f"t{layer}_{qubit}"), qubit)
        for qubit in range(qubits - 1 if layer < depth else 0):
            circuit.cx(qubit, qubit + 1)
    return circuit


def random_terms(qubits: int, count: int, seed: int) -> Terms:
    random = np.random.default_rng(seed)
    out: Terms = []
    for _ in range(count):
        wires = random.choice(qubits, random.integers(1, qubits + 1), replace=False).tolist()
        out.append(("".join(random.choice(list("XYZ"), len(wires))), wires, float(random.normal())))
    return out


H2: Terms = [
    (letters.replace(" ", ""), on, weight)
    for letters, on, weight in json.loads((EXAMPLES / "h2_sto3g.json").read_text())["terms"]
]


@pytest.mark.parametrize("optimizer", [NaturalGradient(), LBFGS(), Adam(0.1), GradientDescent(0.4)])
def test_every_optimizer_finds_the_ground_state_of_hydrogen_to_a_microhartree(optimizer: Optimizer) -> None:
    vqe = OptimizedVQE(layers(2, 1), optimizer, convergence_threshold=1e-10, max_iterations=2000)
    report = vqe.minimize(skerry.Observable.from_sparse_list(H2, 2), [0.2, -0.1, 0.3, 0.1])
    assert report.converged, report
    assert report.energy == pytest.approx(np.linalg.eigvalsh(dense(H2, 2))[0], abs=1e-6)


def test_spsa_gets_near_with_values_alone() -> None:
    vqe = OptimizedVQE(layers(2, 1), SPSA(seed=3), max_iterations=1500, convergence_threshold=0)
    report = vqe.minimize(skerry.Observable.from_sparse_list(H2, 2), [0.2, -0.1, 0.3, 0.1])
    assert report.energy == pytest.approx(np.linalg.eigvalsh(dense(H2, 2))[0], abs=2e-3)
    assert not report.converged
    assert "max_iterations" in report.reason


def test_the_two_rules_agree_and_the_flag_chooses() -> None:
    hamiltonian, point = skerry.Observable.from_sparse_list(random_terms(3, 8, 1), 3), np.linspace(-1, 1, 6)
    vqe = OptimizedVQE(layers(3, 1), NaturalGradient())
    shifted, differences = (
        f(hamiltonian, point) for f in (vqe.parameter_shift_gradients, vqe.finite_difference_gradients)
    )
    assert np.abs(shifted - differences).max() < 1e-5
    steps = []
    for rule in (True, False, None):
        vqe.parameter_shift_rule = rule
        steps.append(vqe.optimize_parameters(hamiltonian, point))
    assert np.abs(steps[0] - steps[2]).max() < 1e-9
    assert 0 < np.abs(steps[0] - steps[1]).max() < 1e-4


def test_a_repeated_point_is_not_run_again() -> None:
    vqe = OptimizedVQE(layers(2, 1))
    hamiltonian = skerry.Observable.from_sparse_list(H2, 2)
    first = vqe.parameter_shift_gradients(hamiltonian, [0.1, 0.2, 0.3, 0.4])
    count = vqe.executions
    first[:] = 0  # what the caller got is the caller's
    second = vqe.parameter_shift_gradients(hamiltonian, [0.1, 0.2, 0.3, 0.4])
    assert vqe.executions == count
    assert np.abs(second).max() > 0
    vqe.enable_gradient_caching = False
    vqe.parameter_shift_gradients(hamiltonian, [0.1, 0.2, 0.3, 0.4])
    assert vqe.executions == count + 1


def test_one_natural_step_lowers_the_energy() -> None:
    vqe = OptimizedVQE(layers(2, 1), NaturalGradient(0.2))
    hamiltonian = skerry.Observable.from_sparse_list(H2, 2)
    start = [0.2, -0.1, 0.3, 0.1]
    moved = vqe.optimize_parameters(hamiltonian, start)
    assert vqe.compute_expectation(hamiltonian, moved) < vqe.compute_expectation(hamiltonian, start)


def test_the_natural_gradient_of_a_redundant_ansatz_is_finite() -> None:
    a, b = skerry.Parameter("a"), skerry.Parameter("b")
    vqe = OptimizedVQE(skerry.Circuit(1).rz(a, 0).ry(b, 0).ry(a, 0).ry(a, 0))
    information = vqe.quantum_fisher_information([0.3, 0.4])
    assert np.linalg.matrix_rank(information, tol=1e-9) == 1
    assert np.isfinite(vqe.compute_natural_gradients([1.0, 2.0], [0.3, 0.4])).all()


def test_the_information_matrix_is_full_symmetric_and_positive() -> None:
    vqe = OptimizedVQE(layers(3, 2))
    point = np.linspace(-2, 2, 9)
    information = vqe.quantum_fisher_information(point)
    assert np.array_equal(information, information.T)
    assert np.linalg.eigvalsh(information)[0] > -1e-12
    assert np.abs(information[:3, 6:]).max() > 1e-3, "blocks between layers are there"
    assert vqe.compute_qfim_element(point, 1, 7) == information[1, 7]


def test_a_thousand_terms_give_what_the_matrix_gives() -> None:
    terms = random_terms(6, 1000, 5)
    ansatz, point = layers(6, 2), np.linspace(-2, 2, 18)
    state = np.asarray(skerry.Simulator().run(ansatz, point.tolist()))
    exact = (state.conj() @ dense(terms, 6) @ state).real
    hamiltonian = skerry.Observable.from_sparse_list(terms, 6)
    assert OptimizedVQE(ansatz).compute_expectation(hamiltonian, point) == pytest.approx(exact, abs=1e-10)


def test_an_energy_from_shots_is_near_the_exact_one() -> None:
    terms = [*random_terms(3, 12, 2), ("", [], 1e-3), ("XYZ", [0, 1, 2], -1.5e-7)]
    vqe, point = OptimizedVQE(layers(3, 1)), np.linspace(-1, 2, 6)
    hamiltonian = skerry.Observable.from_sparse_list(terms, 3)
    exact = vqe.compute_expectation(hamiltonian, point)
    # Each of at most 12 groups has a variance below the square of its weights' sum.
    weights = sum(abs(weight) for _, _, weight in terms)
    estimate = vqe.compute_expectation(hamiltonian, point, shots=40_000, seed=1)
    assert 0 < abs(estimate - exact) < 5 * weights / 40_000**0.5


def test_wrong_parameters_are_refused() -> None:
    vqe = OptimizedVQE(layers(2, 1))
    with pytest.raises(skerry.InvalidArgument, match="ansatz of 4"):
        vqe.compute_expectation(skerry.Observable.parse("Z0", 2), [0.1])
    with pytest.raises(skerry.InvalidArgument, match="no parameters"):
        OptimizedVQE(skerry.Circuit(1).h(0))
