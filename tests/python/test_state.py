"""States: equal to dense linear algebra, viewed without copies, alive as long as a view is."""

import gc

import dense
import numpy as np
import pytest
import skerry
from skerry import Circuit, Observable


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-12), ("single", 1e-5)])
def test_amplitudes_equal_the_dense_oracle(seed: int, precision: skerry.running.Precision, tolerance: float) -> None:
    circuit, expected = dense.random_circuit(num_qubits=1 + seed % 7, gates=60, seed=seed)
    state = skerry.Simulator(precision=precision).run(circuit)
    amplitudes = np.asarray(state)
    assert amplitudes.dtype == (np.complex64 if precision == "single" else np.complex128)
    assert np.allclose(amplitudes, expected, rtol=0, atol=tolerance)
    assert state.amplitude(len(expected) - 1) == pytest.approx(expected[-1], abs=tolerance)


@pytest.mark.parametrize("seed", range(4))
def test_expectations_and_probabilities_equal_the_dense_oracle(seed: int) -> None:
    circuit, expected = dense.random_circuit(num_qubits=5, gates=40, seed=100 + seed)
    state = skerry.Simulator().run(circuit)
    terms = [("XY", [0, 3], 0.5), ("Z", [2], -1.25), ("ZYX", [4, 1, 0], 2.0), ("", [], 0.75)]
    matrix = sum(weight * dense.pauli_string(letters, qubits, 5) for letters, qubits, weight in terms)
    observable = Observable.from_sparse_list(terms, 5)
    value = (expected.conj() @ matrix @ expected).real
    assert state.expectation(observable) == pytest.approx(value, abs=1e-12)
    assert skerry.Simulator().expectation(circuit, observable) == pytest.approx(value, abs=1e-12)
    assert skerry.run(circuit, observables=[observable]).expectations == pytest.approx([value], abs=1e-12)

    chances = np.abs(expected) ** 2
    assert np.allclose(state.probabilities(), chances, atol=1e-13)
    outcomes = np.arange(32)
    folded = np.zeros(4)
    np.add.at(folded, (outcomes >> 3 & 1) | (outcomes >> 1 & 1) << 1, chances)
    assert np.allclose(state.probabilities([3, 1]), folded, atol=1e-13)


def test_the_array_is_a_view_that_keeps_the_state_alive_and_refuses_writes() -> None:
    state = skerry.Simulator().run(Circuit(12).h(0))
    first, second = np.asarray(state), np.from_dlpack(state)
    assert np.shares_memory(first, second)
    assert first.ctypes.data % 64 == 0
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1
    expected = first.copy()
    del state, second
    gc.collect()
    skerry.Simulator().run(Circuit(12).x(0))
    assert np.array_equal(first, expected)


def test_numpys_copy_protocol_is_followed() -> None:
    state = skerry.Simulator().run(Circuit(2).h(0))
    view = np.asarray(state)
    assert not np.shares_memory(np.array(state, copy=True), view)
    assert np.asarray(state, dtype=np.complex64).dtype == np.complex64
    with pytest.raises(ValueError, match="copy"):
        np.array(state, dtype=np.complex64, copy=False)


def test_samples_follow_the_probabilities_and_repeat_by_seed() -> None:
    state = skerry.Simulator().run(Circuit(2).ry(1.0, 0).cx(0, 1))
    counts = state.sample(100_000, seed=5)
    assert counts == state.sample(100_000, seed=5)
    assert counts != state.sample(100_000, seed=6)
    chance = np.sin(0.5) ** 2
    # Six standard deviations of a binomial count.
    assert abs(counts["11"] - 1e5 * chance) < 6 * np.sqrt(1e5 * chance * (1 - chance))
    assert state.sample(0) == {}


def test_questions_outside_the_state_are_refused() -> None:
    state = skerry.Simulator().run(Circuit(2).h(0))
    with pytest.raises(skerry.OutOfRange):
        state.amplitude(4)
    with pytest.raises(skerry.Error):
        state.probabilities([2])
    with pytest.raises(skerry.InvalidArgument):
        state.expectation(Observable.parse("Z0", 3))


def test_an_initial_state_is_used_in_place_of_zero() -> None:
    start = np.array([0, 1, 0, 0], complex)
    result = skerry.run(Circuit(2).cx(0, 1), initial_state=start, probabilities=True)
    assert result.probabilities is not None
    assert np.allclose(result.probabilities, [0, 0, 0, 1])


def test_wrong_settings_of_a_simulator_are_refused_at_once() -> None:
    with pytest.raises(skerry.InvalidArgument, match="precision"):
        skerry.Simulator(precision="quadruple")  # type: ignore[arg-type]


def random_state(seed: int) -> skerry.State:
    circuit, _ = dense.random_circuit(num_qubits=5, gates=60, seed=seed)
    return skerry.Simulator().run(circuit)


def test_fidelity_and_reduced_matrices_are_those_of_numpy() -> None:
    a, b = random_state(1), random_state(2)
    x, y = np.asarray(a), np.asarray(b)
    assert abs(a.fidelity(b) - abs(np.vdot(x, y)) ** 2) < 1e-14
    grid = x.reshape(2, 2, 2, 2, 2)  # qubit 4 first
    expected = np.einsum("aibjc,akblc->jilk", grid, grid.conj()).reshape(
        4, 4
    )  # rows: qubits 1 and 3, 3 less significant
    assert np.allclose(a.density_matrix([3, 1]), expected, rtol=0, atol=1e-14)
    with pytest.raises(skerry.InvalidArgument, match="twice"):
        a.density_matrix([1, 1])
    with pytest.raises(skerry.LimitExceeded, match="12"):
        skerry.Simulator().run(Circuit(13).h(0)).density_matrix(list(range(13)))
