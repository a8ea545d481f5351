"""Skerry at Qiskit's: the oracle is Qiskit's own quantum_info, its reference primitives, or a closed form."""

from typing import Any

import numpy as np
import pytest
import skerry
from numpy.typing import NDArray
from qiskit import QiskitError, QuantumCircuit, transpile
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    ControlModifier,
    Gate,
    InverseModifier,
    Parameter,
    PowerModifier,
    QuantumRegister,
)
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import (
    CUGate,
    CXGate,
    PauliEvolutionGate,
    QFTGate,
    RXGate,
    UnitaryGate,
    real_amplitudes,
)
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.primitives import PrimitiveResult, PubResult, StatevectorEstimator
from qiskit.primitives.containers import BitArray
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_unitary
from qiskit.transpiler import generate_preset_pass_manager
from skerry.qiskit import (
    SkerryBackend,
    SkerryError,
    SkerryEstimator,
    SkerrySampler,
    from_qiskit,
    statevector,
    to_qiskit,
)

STANDARD = {n: g for n, g in get_standard_gate_name_mapping().items() if isinstance(g, Gate)}


def operator_of(circuit: skerry.Circuit) -> NDArray[Any]:
    """Column by column, from basis states as initial states."""
    size = 2**circuit.num_qubits
    columns = []
    for basis in range(size):
        state = skerry.run(circuit, state=True, initial_state=np.eye(size, dtype=complex)[basis]).state
        columns.append(np.asarray(state))
    return np.stack(columns, axis=1)


def mixed(num_qubits: int) -> QuantumCircuit:
    """A state in which every gate does something, phase included."""
    circuit = QuantumCircuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.u(0.3 + 0.2 * qubit, 0.5 - 0.1 * qubit, 0.7, qubit)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def assert_same_state(circuit: QuantumCircuit) -> None:
    np.testing.assert_allclose(statevector(circuit).data, Statevector(circuit).data, atol=1e-12)


# Conversion


@pytest.mark.parametrize("name", STANDARD)
def test_a_standard_gate_means_what_it_means_there(name: str) -> None:
    gate = STANDARD[name]
    angles = np.linspace(0.4, 1.9, len(gate.params))
    bound = type(gate)(*angles) if gate.params else gate
    circuit = QuantumCircuit(max(1, gate.num_qubits))
    circuit.append(bound, range(gate.num_qubits))
    np.testing.assert_allclose(operator_of(from_qiskit(circuit)), Operator(circuit).data, atol=1e-12)
    back = to_qiskit(from_qiskit(circuit))
    np.testing.assert_allclose(Operator(back).data, Operator(circuit).data, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_random_circuits_survive_both_ways(seed: int) -> None:
    circuit = random_circuit(4, 6, max_operands=4, seed=seed)
    made = from_qiskit(circuit)
    assert_same_state(circuit)
    again = from_qiskit(to_qiskit(made))
    assert again.gate_counts == made.gate_counts
    np.testing.assert_allclose(Operator(to_qiskit(made)).data, Operator(circuit).data, atol=1e-10)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # of Qiskit's own oracle
@pytest.mark.parametrize(
    "gate",
    [
        CXGate(ctrl_state=0),
        CUGate(0.3, 0.4, 0.5, 0.6, ctrl_state=0),
        RXGate(0.3).control(3, ctrl_state=5, annotated=False),
        RXGate(0.3).control(2, ctrl_state=1, annotated=True),
        QFTGate(3),
        QFTGate(2).control(1, annotated=False),
        UnitaryGate(random_unitary(4, seed=3)),
        UnitaryGate(random_unitary(4, seed=4)).control(2, ctrl_state=2, annotated=False),
        PauliEvolutionGate(SparsePauliOp(["XYZ", "YXZ"], [0.3, 0.7]), time=0.4),
        AnnotatedOperation(RXGate(0.3), [InverseModifier(), ControlModifier(1), PowerModifier(3)]),
        AnnotatedOperation(CXGate(), [ControlModifier(1, ctrl_state=0), ControlModifier(1, ctrl_state=1)]),
    ],
    ids=lambda gate: gate.name,
)
def test_other_gates_go_by_base_gate_matrix_or_definition(gate: Any) -> None:
    circuit = mixed(gate.num_qubits + 1)
    circuit.append(gate, range(gate.num_qubits, 0, -1))
    assert_same_state(circuit)


def test_a_phase_of_a_definition_becomes_a_controlled_phase() -> None:
    inner = QuantumCircuit(1, global_phase=0.7)
    inner.sx(0)
    circuit = mixed(2)
    circuit.append(inner.to_gate().control(1, annotated=False), [0, 1])
    circuit.global_phase = 0.2
    assert_same_state(circuit)


def test_prepared_states_are_prepared() -> None:
    circuit = QuantumCircuit(2)
    circuit.prepare_state([0.5, 0.5j, -0.5, 0.5])
    assert_same_state(circuit)
    circuit = QuantumCircuit(2)
    circuit.initialize([0, 0.6, 0.8, 0])
    np.testing.assert_allclose(abs(statevector(circuit).data), [0, 0.6, 0.8, 0], atol=1e-12)
    circuit.reset(0)
    with pytest.raises(skerry.Unsupported, match="single state"):
        statevector(circuit)


def test_angles_stay_symbolic_in_the_order_of_qiskit() -> None:
    a, b, c = Parameter("b"), Parameter("a"), Parameter("θ[0]")
    circuit = QuantumCircuit(2, global_phase=2 * a)
    circuit.rx(a, 0)
    circuit.ry(2 * b - a / 3 + 0.5, 1)
    circuit.rz((a.sin() + b.cos()).exp() ** 2, 0)
    circuit.rzz((c * c + 1).log() - (c / 7).arctan() + 2**b, 0, 1)
    made = from_qiskit(circuit)
    assert made.parameters == [p.name for p in circuit.parameters]
    values = [0.3, 0.4, 0.9]
    expected = Statevector(circuit.assign_parameters(values)).data
    found = np.asarray(skerry.run(made, params=values, state=True).state)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    back = to_qiskit(made)
    assert [p.name for p in back.parameters] == [p.name for p in circuit.parameters]
    np.testing.assert_allclose(Statevector(back.assign_parameters(values)).data, expected, atol=1e-12)


def test_registers_keep_their_names_and_overlapping_ones_become_one() -> None:
    plain = QuantumCircuit(QuantumRegister(2, "a"), QuantumRegister(1, "b"), ClassicalRegister(3, "m"))
    back = to_qiskit(from_qiskit(plain))
    assert [(r.name, r.size) for r in [*back.qregs, *back.cregs]] == [("a", 2), ("b", 1), ("m", 3)]
    bits = ClassicalRegister(3, "m")
    overlapping = QuantumCircuit(QuantumRegister(1), bits, ClassicalRegister(bits=list(bits)[1:], name="n"))
    assert from_qiskit(overlapping).num_bits == 3


def test_what_has_no_meaning_is_refused_by_name() -> None:
    circuit = QuantumCircuit(1)
    circuit.append(Gate("mystery", 1, []), [0])
    with pytest.raises(skerry.Unsupported, match="mystery"):
        from_qiskit(circuit)
    with pytest.raises(SkerryError, match="mystery") as caught:
        SkerryBackend().run([circuit]).result()
    assert caught.value.cause.code == "unsupported"
    symbolic = QuantumCircuit(1)
    symbolic.rx(Parameter("a").abs(), 0)
    with pytest.raises(skerry.Unsupported, match="ABS"):
        from_qiskit(symbolic)


# Dynamic circuits: each is deterministic, so that its counts are known.


def bits_of(circuit: QuantumCircuit) -> str:
    counts = SkerryBackend().run(circuit, shots=20).result().get_counts()
    again = skerry.run(from_qiskit(to_qiskit(from_qiskit(circuit))), shots=20).counts
    assert list(again) == [key.replace(" ", "") for key in counts]
    (only,) = counts
    return str(only)


def test_conditions_on_bits_and_registers() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], True)) as otherwise:
        circuit.x(1)
    with otherwise:
        circuit.x(2)
    circuit.measure(1, 1)
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(2)
    circuit.measure(2, 2)
    assert bits_of(circuit) == "111"


def test_expressions_and_variables() -> None:
    circuit = QuantumCircuit(2, 2)
    a = circuit.add_var("a", expr.lift(5, types.Uint(8)))
    flag = circuit.add_var("flag", expr.lift(False))
    circuit.store(a, expr.add(expr.mul(a, 3), 1))
    circuit.store(flag, expr.logic_not(expr.less(a, 16)))
    with circuit.if_test(expr.logic_and(flag, expr.equal(expr.bit_and(a, 0x18), 16))):
        circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test(expr.index(a, 4)):
        circuit.x(1)
    circuit.measure(1, 1)
    counts = SkerryBackend().run(circuit, shots=5).result().get_counts()
    assert counts == {"11": 5}


def test_a_while_loop_repeats_until_success() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], False)):
        circuit.h(0)
        circuit.measure(0, 0)
    assert bits_of(circuit) == "1"


@pytest.mark.parametrize(("value", "expected"), [(0, "001"), (1, "010"), (2, "010"), (3, "100")])
def test_a_switch_takes_one_case(value: int, expected: str) -> None:
    target = ClassicalRegister(2, "t")
    circuit = QuantumCircuit(QuantumRegister(5), target, ClassicalRegister(3, "m"))
    for bit in range(2):
        if value >> bit & 1:
            circuit.x(bit)
        circuit.measure(bit, bit)
    with circuit.switch(target) as case:
        with case(0):
            circuit.x(2)
        with case(1, 2):
            circuit.x(3)
        with case(case.DEFAULT):
            circuit.x(4)
    circuit.measure([2, 3, 4], [2, 3, 4])
    assert bits_of(circuit) == f"{expected} {value:02b}"


def test_for_loops_are_unrolled_with_their_parameter() -> None:
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(1, 5)) as angle:
        circuit.rx(0.1 * angle, 0)
    np.testing.assert_allclose(statevector(circuit).probabilities(), [np.cos(0.5) ** 2, np.sin(0.5) ** 2], atol=1e-12)


def test_break_and_continue_leave_and_skip_iterations() -> None:
    circuit = QuantumCircuit(4, 4)
    circuit.x(3)
    circuit.measure(3, 3)
    with circuit.for_loop(range(6)) as i:  # quarter turns of 0: all six; of 1: those before continue; of 2: until break
        circuit.rx(np.pi * i, 0)  # 15 half turns
        with circuit.if_test((3, True)):
            with circuit.for_loop(range(3)):
                circuit.x(1)  # one turn of three
                circuit.break_loop()
            circuit.continue_loop()
        circuit.x(2)
    with circuit.for_loop(range(3)):
        circuit.x(2)
        with circuit.if_test((3, True)):
            circuit.break_loop()
    circuit.measure([0, 1, 2], [0, 1, 2])
    counts = SkerryBackend().run(circuit, shots=5).result().get_counts()
    assert counts == {"1101": 5}


# The backend


def test_counts_memory_and_headers_follow_qiskit() -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(1, "a"), ClassicalRegister(2, "b"), name="mine")
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    circuit.metadata = {"k": 1}
    result = SkerryBackend().run(circuit, shots=7, memory=True).result()
    assert result.get_counts("mine") == {"10 1": 7}
    assert result.get_memory() == ["10 1"] * 7
    assert result.results[0].header["metadata"] == {"k": 1}
    with pytest.raises(QiskitError):
        SkerryBackend().run(circuit).result().get_memory()


def test_same_seed_same_counts_and_no_seed_others() -> None:
    circuit = QuantumCircuit(5)
    circuit.h(range(5))
    circuit.measure_all()
    backend = SkerryBackend()

    def memory(**options: Any) -> list[str]:
        taken: list[str] = backend.run(circuit, shots=200, memory=True, **options).result().get_memory()
        return taken

    assert memory(seed_simulator=5) == memory(seed_simulator=5)
    assert memory(seed_simulator=5) != memory(seed_simulator=6)
    assert memory() != memory()


def test_parameter_binds_make_one_experiment_per_value() -> None:
    theta = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.rx(theta, 0)
    circuit.measure_all()
    result = SkerryBackend().run([circuit], [{theta: [0.0, np.pi]}], shots=10).result()
    assert result.get_counts() == [{"0": 10}, {"1": 10}]
    with pytest.raises(SkerryError, match="t have no values"):
        SkerryBackend().run(circuit).result()


def test_unknown_options_are_refused() -> None:
    with pytest.raises(SkerryError, match="noise"):
        SkerryBackend().run(QuantumCircuit(1), noise=3)
    with pytest.raises(skerry.InvalidArgument):
        SkerryBackend(precision="half")  # type: ignore[arg-type]


@pytest.mark.parametrize("level", range(4))
def test_the_transpiler_takes_the_target(level: int) -> None:
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit.append(QFTGate(4), range(4))
    circuit.append(RXGate(0.4).control(3, annotated=False), range(4))
    done = transpile(circuit, SkerryBackend(), optimization_level=level, seed_transpiler=1)
    # Where the qubits have gone, the layout says; the transpiler knows that they start at 0.
    there, here = Operator.from_circuit(done).data[:, 0], Statevector(circuit).data
    assert abs(np.vdot(there, here)) == pytest.approx(1, abs=1e-9)
    assert_same_state(done)


RESETS: list[tuple[str, list[int], list[int], set[str]]] = [
    ("x", [0, 1], [0], {"10"}),
    ("x", [0, 1], [1], {"01"}),
    ("x", [0, 1], [0, 1], {"00"}),
    ("h", [0, 1], [0, 1], {"00"}),
    ("h", [0, 1], [0], {"00", "10"}),
    ("h", [0, 1], [1], {"00", "01"}),
]


@pytest.mark.parametrize(("gate", "on", "reset", "expected"), RESETS)
def test_a_reset_leaves_zero_and_the_others_alone(
    gate: str, on: list[int], reset: list[int], expected: set[str]
) -> None:
    circuit = QuantumCircuit(2, 2)
    getattr(circuit, gate)(on)
    circuit.reset(reset)
    circuit.barrier()
    circuit.measure([0, 1], [0, 1])
    counts = SkerryBackend().run(circuit, shots=4000, seed_simulator=3).result().get_counts()
    assert set(counts) == expected
    # Five standard deviations of a fair coin's count.
    assert all(abs(times - 4000 / len(expected)) <= 5 * np.sqrt(1000) for times in counts.values())


def test_a_reset_of_half_a_bell_pair_leaves_the_other_half_mixed() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset(0)
    circuit.measure([0, 1], [0, 1])
    counts = SkerryBackend().run(circuit, shots=4000, seed_simulator=3).result().get_counts()
    assert set(counts) == {"00", "10"}
    assert abs(counts["00"] - 2000) <= 5 * np.sqrt(1000)


def test_resets_between_measurements_repeat() -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.measure(0, 1)
    circuit.reset(0)
    assert SkerryBackend().run(circuit, shots=100).result().get_counts() == {"01": 100}


# The sampler


def ansatz(reps: int) -> QuantumCircuit:
    return transpile(real_amplitudes(2, reps=reps), SkerryBackend(), optimization_level=0)


def assert_sampled(bits: BitArray, circuit: QuantumCircuit, rows: NDArray[Any]) -> None:
    """Every count within five standard deviations of what the exact state says."""
    for index in np.ndindex(bits.shape):
        chances = Statevector(circuit.assign_parameters(rows[index])).probabilities()
        shots, counts = bits.num_shots, bits.get_int_counts(index)
        for outcome, chance in enumerate(chances):
            assert abs(counts.get(outcome, 0) - shots * chance) <= 5 * np.sqrt(shots * chance * (1 - chance)) + 1e-6


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_the_sampler_broadcasts_values(shape: tuple[int, ...]) -> None:
    circuit = ansatz(2)
    measured = circuit.copy()
    measured.measure_all()
    rows = np.random.default_rng(1).uniform(0, 6, (*shape, 6))
    result = SkerrySampler(seed=4).run([(measured, rows)], shots=5000).result()
    assert isinstance(result, PrimitiveResult)
    assert isinstance(result[0], PubResult)
    assert result[0].data.meas.shape == shape
    assert_sampled(result[0].data.meas, circuit, rows)


def test_the_sampler_takes_values_in_every_form() -> None:
    theta = Parameter("x")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(theta, 0)
    circuit.measure(0, 0)
    for form in ({"x": np.pi}, {theta: np.pi}, {"x": np.array(np.pi)}, {theta: [np.pi]}, [np.pi], np.array([np.pi])):
        assert SkerrySampler().run([(circuit, form)], shots=50).result()[0].data.c.get_int_counts() == {1: 50}


def test_same_seed_same_samples_however_the_pubs_are_cut() -> None:
    circuit = ansatz(2)
    circuit.measure_all()
    rows = np.linspace(0, 1, 30).reshape(5, 6)
    sampler = SkerrySampler(seed=9)
    whole = sampler.run([(circuit, rows)], shots=100).result()[0].data.meas
    again = sampler.run([(circuit, rows)], shots=100).result()[0].data.meas
    cut = sampler.run([(circuit, row) for row in rows], shots=100).result()
    assert whole == again
    assert [whole[i].get_int_counts() for i in range(5)] == [one.data.meas.get_int_counts() for one in cut]
    generator = SkerrySampler(seed=np.random.default_rng(2))
    assert isinstance(generator.seed, np.random.Generator)
    assert (
        generator.run([(circuit, rows)]).result()[0].data.meas != generator.run([(circuit, rows)]).result()[0].data.meas
    )


def test_shots_come_from_the_pub_the_call_or_the_sampler() -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    sampler = SkerrySampler(default_shots=77)
    job = sampler.run([bell, (bell, None, 5), SamplerPub(bell, shots=6)])
    assert [pub.data.meas.num_shots for pub in job.result()] == [77, 5, 6]
    assert [pub.metadata["shots"] for pub in job.result()] == [77, 5, 6]
    assert job.status() == JobStatus.DONE
    assert sampler.run([bell], shots=8).result()[0].data.meas.num_shots == 8
    assert SkerrySampler().run([bell]).result()[0].data.meas.num_shots == SkerrySampler().default_shots == 1024


def test_the_sampler_refuses_wrong_pubs() -> None:
    plain = QuantumCircuit(1)
    plain.measure_all()
    free = ansatz(1)
    free.measure_all()
    sampler = SkerrySampler()
    for pub in [(plain, [1e2]), free, (free, []), (free, None), (free, [1e2]), (free, [1e2] * 100), (plain, None, -1)]:
        with pytest.raises(ValueError):  # Qiskit's own checks
            sampler.run([pub])
    for shots in (-1, 0):
        with pytest.raises(ValueError, match="shots"):
            sampler.run([plain], shots=shots)
    with pytest.raises(ValueError, match="An invalid Sampler pub-like was given"):
        sampler.run(plain)
    with pytest.raises(SkerryError, match="nonsense"):
        SkerrySampler(options={"nonsense": 1})


def test_every_register_has_its_own_bits() -> None:
    a, b, c = ClassicalRegister(1, "a"), ClassicalRegister(70, "b"), ClassicalRegister(3, "c")
    circuit = QuantumCircuit(QuantumRegister(3), a, b, c, ClassicalRegister(bits=[c[2], a[0]], name="d"))
    circuit.x([0, 2])
    circuit.measure([0, 1, 2, 2], [0, 2, 70, 73])
    data = SkerrySampler().run([circuit], shots=10).result()[0].data
    assert len(data) == 4
    assert data.a.get_int_counts() == {1: 10}
    assert data.b.get_int_counts() == {1 << 69: 10}
    assert data.c.get_int_counts() == {4: 10}
    assert data.d.get_int_counts() == {3: 10}


def test_what_is_not_measured_is_zero() -> None:
    circuit = QuantumCircuit(5, 4)
    assert SkerrySampler().run([circuit], shots=9).result()[0].data.c.get_int_counts() == {0: 9}
    with pytest.warns(UserWarning, match="no classical register"):
        assert len(SkerrySampler().run([QuantumCircuit(2)]).result()[0].data) == 0


# The estimator

HAMILTONIANS = [SparsePauliOp(["II", "IZ", "XI"], [1, 2, 3]), SparsePauliOp("IZ"), SparsePauliOp(["ZI", "ZY"], [1, -1])]


def test_expectations_are_those_of_the_state_over_every_broadcast() -> None:
    circuit = ansatz(2)
    rows = np.random.default_rng(3).uniform(0, 6, (4, 1, 6))
    pub = (circuit, [HAMILTONIANS], rows)
    found = SkerryEstimator().run([pub]).result()[0]
    expected = StatevectorEstimator().run([pub]).result()[0]
    assert found.data.evs.shape == (4, 3)
    np.testing.assert_allclose(found.data.evs, expected.data.evs, atol=1e-10)
    np.testing.assert_array_equal(found.data.stds, 0)


def test_the_estimator_takes_explicit_pubs_and_iterators() -> None:
    circuit = ansatz(2)
    rows = [[0, 1, 1, 2, 3, 5], [1, 2, 3, 4, 5, 6]]
    pub = EstimatorPub(
        circuit,
        ObservablesArray.coerce([HAMILTONIANS[0], HAMILTONIANS[2]]),
        BindingsArray.coerce({tuple(circuit.parameters): rows}),
    )
    found = SkerryEstimator().run(iter([pub, pub])).result()
    expected = [
        Statevector(circuit.assign_parameters(row)).expectation_value(op).real
        for row, op in zip(rows, [HAMILTONIANS[0], HAMILTONIANS[2]], strict=True)
    ]
    for one in found:
        np.testing.assert_allclose(one.data.evs, expected, atol=1e-10)


def test_qubits_are_counted_from_the_right_of_a_label() -> None:
    circuit = QuantumCircuit(2)
    circuit.x(0)
    found = SkerryEstimator().run([(circuit, ["IZ", "ZI", "II", "I1", "I0", "+1", "rI"])]).result()[0].data.evs
    np.testing.assert_allclose(found, [-1, 1, 1, 1, 0, 0.5, 0.5], atol=1e-12)


def test_precision_is_the_width_of_the_noise() -> None:
    circuit = QuantumCircuit(1)
    pub = (circuit, "Z", np.zeros((2000, 0)))
    options = {"default_precision": 0.02, "run_options": {"seed_simulator": 15}}
    estimator = SkerryEstimator(options=options)
    first = estimator.run([pub]).result()[0]
    assert first.metadata["target_precision"] == 0.02
    assert abs(first.data.evs.mean() - 1) <= 5 * 0.02 / np.sqrt(2000)
    # The standard deviation of 2000 numbers is known to 1/sqrt(4000) of itself.
    assert abs(first.data.evs.std() / 0.02 - 1) <= 5 / np.sqrt(4000)
    np.testing.assert_array_equal(estimator.run([pub]).result()[0].data.evs, first.data.evs)
    wide = estimator.run([pub, (*pub, 0.5)], precision=0.1).result()
    assert [one.metadata["target_precision"] for one in wide] == [0.1, 0.5]
    assert wide[1].data.evs.std() > 3 * wide[0].data.evs.std()


def test_the_estimator_refuses_wrong_pubs() -> None:
    one, two = QuantumCircuit(1), QuantumCircuit(2)
    z, zz = SparsePauliOp("Z"), SparsePauliOp("ZZ")
    estimator = SkerryEstimator()
    for pub in [(one, zz), (one, z, [[1e4]]), (two, zz, [[1, 2]]), (one, [z, zz]), (one, 1j * z), (one, z, None, -1)]:
        with pytest.raises(ValueError):  # Qiskit's own checks
            estimator.run([pub])
    with pytest.raises(ValueError, match="precision"):
        estimator.run([(one, z)], precision=-1)
    with pytest.raises(ValueError, match="An invalid Estimator pub-like was given"):
        estimator.run((one, z))


def test_measuring_midway_gives_the_mean_over_the_outcomes() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.ry(0.8, 0)
    circuit.measure(0, 0)
    with circuit.if_test((0, True)):
        circuit.ry(0.5, 1)
    evs = SkerryEstimator().run([(circuit, ["IZ", "ZI", "IX"])]).result()[0].data.evs
    one = np.sin(0.4) ** 2
    np.testing.assert_allclose(evs, [1 - 2 * one, 1 - one + one * np.cos(0.5), 0], atol=1e-12)


def test_layouts_and_metadata_are_kept() -> None:
    circuit = real_amplitudes(2, reps=1)
    circuit.metadata = {"a": 1}
    wide = transpile(circuit, GenericBackendV2(5, seed=1), initial_layout=[3, 1], optimization_level=0)
    values = [0.1, 0.2, 0.3, 0.4]
    op = HAMILTONIANS[0]
    estimator = SkerryEstimator.from_backend(SkerryBackend(precision="single"), default_precision=0.0)
    assert estimator.options["precision"] == "single"
    result = estimator.run([(circuit, op, values), (wide, op.apply_layout(wide.layout), values)]).result()
    assert result[0].data.evs == pytest.approx(result[1].data.evs, abs=1e-5)
    assert result[0].metadata["circuit_metadata"] == {"a": 1}
    assert isinstance(result[0].metadata["simulator_metadata"], dict)
    assert result.metadata == {"version": 2}


def test_an_observable_on_the_passes_of_a_preset_manager() -> None:
    manager = generate_preset_pass_manager(optimization_level=1, backend=SkerryBackend())
    done = manager.run(real_amplitudes(2, reps=1))
    found = SkerryEstimator().run([(done, HAMILTONIANS[0].apply_layout(done.layout), [0.0] * 4)]).result()[0].data.evs
    assert found == pytest.approx(3.0)
