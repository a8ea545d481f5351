"""Skerry at Cirq's: the oracle is cirq.Simulator."""

from typing import Any

import numpy as np
import pytest
import skerry

cirq = pytest.importorskip("cirq")
sympy = pytest.importorskip("sympy")

from skerry.cirq import SkerrySimulator, from_cirq  # noqa: E402

QUBITS = cirq.LineQubit.range(4)


def circuit_of(seed: int, *, depth: int = 12) -> Any:
    """Every gate of Cirq's usual ones, powers and phases and controls among them."""
    domain = {gate: gate.num_qubits() for gate in GATES}
    return cirq.testing.random_circuit(QUBITS, depth, 0.8, domain, random_state=seed)


GATES = [
    *(
        cirq.X,
        cirq.Y,
        cirq.Z,
        cirq.H,
        cirq.S,
        cirq.T,
        cirq.S**-1,
        cirq.X**0.3,
        cirq.ZPowGate(exponent=0.2, global_shift=0.1),
    ),
    *(
        cirq.rx(0.3),
        cirq.ry(0.4),
        cirq.rz(0.5),
        cirq.PhasedXZGate(x_exponent=0.1, z_exponent=0.2, axis_phase_exponent=0.3),
    ),
    *(cirq.CX, cirq.CZ, cirq.SWAP, cirq.ISWAP, cirq.CZ**0.4, cirq.ISWAP**0.5, cirq.FSimGate(0.2, 0.3), cirq.XX**0.3),
    *(cirq.CCX, cirq.CCZ, cirq.CSWAP, cirq.ControlledGate(cirq.ry(0.3), control_values=[0])),
    *(cirq.MatrixGate(cirq.testing.random_unitary(8, random_state=1)), cirq.QuantumFourierTransformGate(3)),
]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("split", [True, False])
def test_states_are_those_of_cirq(seed: int, split: bool) -> None:
    circuit = circuit_of(seed)
    ours = SkerrySimulator(dtype=np.complex128, split_untangled_states=split).simulate(circuit, qubit_order=QUBITS)
    theirs = cirq.Simulator(dtype=np.complex128).simulate(circuit, qubit_order=QUBITS)
    np.testing.assert_allclose(ours.final_state_vector, theirs.final_state_vector, atol=1e-10)
    state = skerry.run(from_cirq(circuit, QUBITS), state=True).state
    np.testing.assert_allclose(np.asarray(state), theirs.final_state_vector, atol=1e-10)


def test_initial_states_sweeps_and_orders_are_kept() -> None:
    a, b = QUBITS[:2]
    symbol = sympy.Symbol("t")
    circuit = cirq.Circuit(cirq.rx(symbol)(a), cirq.CX(a, b), cirq.Z(b) ** symbol)
    arguments: dict[str, Any] = {
        "params": cirq.Linspace("t", 0, 1, 4),
        "qubit_order": [b, a],
        "initial_state": np.array([0.6, 0, 0, 0.8j]),
    }
    ours = SkerrySimulator(dtype=np.complex128).simulate_sweep(circuit, **arguments)
    theirs = cirq.Simulator(dtype=np.complex128).simulate_sweep(circuit, **arguments)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.final_state_vector, other.final_state_vector, atol=1e-10)
        assert mine.params == other.params


def test_a_state_goes_on_where_another_circuit_left_it() -> None:
    first, second = circuit_of(1), circuit_of(2)
    simulator = SkerrySimulator(dtype=np.complex128)
    middle = simulator.simulate(first, qubit_order=QUBITS)
    end = simulator.simulate(second, qubit_order=QUBITS, initial_state=middle.final_state_vector)
    whole = cirq.Simulator(dtype=np.complex128).simulate(first + second, qubit_order=QUBITS)
    np.testing.assert_allclose(end.final_state_vector, whole.final_state_vector, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_samples_follow_the_state_and_the_seed(seed: int) -> None:
    circuit = circuit_of(seed)
    chances = abs(cirq.Simulator().simulate(circuit, qubit_order=QUBITS).final_state_vector) ** 2
    circuit.append(cirq.measure(*QUBITS, key="m", invert_mask=(True,)))
    first, again = (SkerrySimulator(seed=seed).run(circuit, repetitions=4000) for _ in range(2))
    assert first == again
    counts = first.histogram(key="m")
    for outcome, chance in enumerate(chances):
        # Five standard deviations of a binomial count; the first qubit's outcome is inverted.
        assert abs(counts[outcome ^ 8] - 4000 * chance) <= 5 * np.sqrt(4000 * chance * (1 - chance)) + 1e-2


def test_measuring_midway_and_classical_control_work() -> None:
    a, b = QUBITS[:2]
    circuit = cirq.Circuit(
        cirq.X(a),
        cirq.measure(a, key="m"),
        cirq.X(b).with_classical_controls("m"),
        cirq.reset(a),
        cirq.measure(a, b, key="n"),
    )
    result = SkerrySimulator().run(circuit, repetitions=20)
    assert set(map(tuple, result.measurements["n"])) == {(0, 1)}


def test_noise_and_mixtures_are_left_to_cirq() -> None:
    circuit = cirq.Circuit(cirq.bit_flip(1.0)(QUBITS[0]), cirq.measure(QUBITS[0], key="m"))
    assert SkerrySimulator().run(circuit, repetitions=5).measurements["m"].tolist() == [[1]] * 5
    noisy = SkerrySimulator(noise=cirq.bit_flip(1.0), seed=1)
    assert noisy.run(cirq.Circuit(cirq.X(QUBITS[0]), cirq.measure(QUBITS[0], key="m"))).measurements["m"].shape == (
        1,
        1,
    )


def test_expectations_over_a_sweep() -> None:
    a, b = QUBITS[:2]
    circuit = cirq.Circuit(cirq.rx(sympy.Symbol("t"))(a), cirq.CX(a, b))
    sums: list[Any] = [cirq.Z(a) * cirq.Z(b) - 0.5 * cirq.X(a), cirq.Y(b) + 2]
    sweep = cirq.Linspace("t", 0, 3, 5)
    for state in (None, 2):  # a prepared state is left to Cirq
        ours = SkerrySimulator(dtype=np.complex128).simulate_expectation_values_sweep(
            circuit, sums, sweep, initial_state=state
        )
        theirs = cirq.Simulator(dtype=np.complex128).simulate_expectation_values_sweep(
            circuit, sums, sweep, initial_state=state
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    with pytest.raises(NotImplementedError, match="non-Hermitian"):
        SkerrySimulator().simulate_expectation_values(circuit, 1j * cirq.Z(a), {"t": 1})
    measured = cirq.Circuit(cirq.H(a), cirq.measure(a))
    with pytest.raises(ValueError, match="terminal measurements"):
        SkerrySimulator().simulate_expectation_values(measured, cirq.Z(a))


def test_steps_come_one_by_one() -> None:
    circuit = cirq.Circuit(cirq.H(QUBITS[0]), cirq.CX(*QUBITS[:2]), cirq.X(QUBITS[0]))
    assert len(list(SkerrySimulator().simulate_moment_steps(circuit))) == 3


def test_untangled_qubits_are_not_multiplied_out() -> None:
    circuit = cirq.Circuit(cirq.X.on_each(cirq.LineQubit.range(59)))
    result = SkerrySimulator().simulate(circuit)
    assert result.get_state_containing_qubit(cirq.LineQubit(58)).target_tensor.shape == (2,)


def test_what_is_not_unitary_is_refused_by_name() -> None:
    with pytest.raises(skerry.Unsupported, match="measure"):
        from_cirq(cirq.Circuit(cirq.measure(QUBITS[0])))
    with pytest.raises(skerry.Unsupported, match="two levels"):
        from_cirq(cirq.Circuit(cirq.IdentityGate(qid_shape=(3,))(cirq.LineQid(0, 3))))
