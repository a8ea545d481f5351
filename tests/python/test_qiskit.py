"""Skerry at Qiskit's: the oracle is Qiskit's own quantum_info, its reference primitives, or a closed form."""

import pickle
from pathlib import Path
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
)
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_unitary
from skerry.noise import Channel, NoiseModel
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


def test_noise_goes_by_gates_and_comes_from_every_form_of_a_model(tmp_path: Path) -> None:
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    model = NoiseModel().add("x", Channel.bit_flip(1.0)).add_readout([[1, 0], [1, 0]], [1])  # x does nothing; 1 reads 0
    file = tmp_path / "noise.json"
    file.write_text(model.text)
    flip = {"type": "qerror", "operations": ["x"], "probabilities": [1.0]}
    aer = {"errors": [flip | {"instructions": [[{"name": "x", "qubits": [0]}]]}]}
    for given in (model, file, str(file), aer):
        always, once = SkerryBackend(noise_model=given), SkerryBackend()
        assert always.run(circuit, shots=20).result().get_counts() == {"00": 20}
        assert once.run(circuit, shots=20, noise_model=given).result().get_counts() == {"00": 20}
    assert SkerryBackend().run(circuit, shots=20).result().get_counts() == {"11": 20}
    with pytest.raises(skerry.InvalidArgument, match="float is no noise model"):
        SkerryBackend(noise_model=0.1)


def test_primitives_take_noise_from_options_and_from_the_backend() -> None:
    p = 0.3
    model = NoiseModel().add("x", Channel.depolarizing(p, 1))
    circuit = QuantumCircuit(1)
    circuit.x(0)
    settings = {"backend_options": {"noise_model": model}}
    backend = SkerryBackend(noise_model=model)
    for estimator in (SkerryEstimator(options=settings), SkerryEstimator.from_backend(backend)):
        assert estimator.run([(circuit, "Z")]).result()[0].data.evs == pytest.approx(-(1 - p), abs=1e-12)
    turned = QuantumCircuit(1)  # many sets of parameters at once must not lose it
    turned.rx(Parameter("t"), 0)
    turned.x(0)
    sets = np.linspace(0, 1, 5)[:, np.newaxis]
    values = SkerryEstimator(options=settings).run([(turned, "Z", sets)]).result()[0].data.evs
    np.testing.assert_allclose(values, -(1 - p) * np.cos(sets[:, 0]), atol=1e-12)
    circuit.measure_all()
    for sampler in (SkerrySampler(seed=1, options=settings), SkerrySampler.from_backend(backend, seed=1)):
        zeros = sampler.run([circuit], shots=20000).result()[0].data.meas.get_counts()["0"]
        assert zeros / 20000 == pytest.approx(p / 2, abs=5 * np.sqrt(p / 2 / 20000))


def test_aers_noise_model_gives_aers_distribution_on_the_gates_that_it_names() -> None:
    aer = pytest.importorskip("qiskit_aer")
    model = aer.noise.NoiseModel()
    model.add_all_qubit_quantum_error(aer.noise.depolarizing_error(0.05, 1), ["sx"])
    model.add_all_qubit_quantum_error(aer.noise.depolarizing_error(0.1, 2), ["cx"])
    model.add_all_qubit_readout_error([[0.9, 0.1], [0.2, 0.8]])
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(0.7, 2)
    circuit.cx(1, 2)
    circuit.measure_all()
    backend = SkerryBackend(noise_model=model)
    made = transpile(circuit, backend, seed_transpiler=1)
    assert set(made.count_ops()) <= {"rz", "sx", "cx", "measure", "barrier"}
    shots = 100_000
    theirs = aer.AerSimulator(noise_model=model).run(made, shots=shots, seed_simulator=2).result().get_counts()
    ours = backend.run(made, shots=shots, seed_simulator=1).result().get_counts()
    for outcome, times in theirs.items():
        assert abs(ours[outcome] - times) < 5 * np.sqrt(2 * times), outcome


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


@pytest.mark.parametrize("method", ["automatic", "stabilizer", "statevector", "density_matrix", "matrix_product_state"])
def test_resets_of_entangled_and_swapped_qubits_by_every_method_under_the_names_of_aer(method: str) -> None:
    circuit = QuantumCircuit(4, 4)
    circuit.h(0)
    for qubit in range(3):
        circuit.cx(qubit, qubit + 1)
    circuit.swap(0, 3)
    circuit.reset(3)
    circuit.cx(1, 3)
    circuit.swap(1, 2)
    circuit.reset(1)
    circuit.measure(range(4), range(4))
    counts = SkerryBackend(method=method).run(circuit, shots=4000, seed_simulator=3).result().get_counts()
    # All qubits agree but the one that was put to zero last.
    assert set(counts) == {"0000", "1101"}
    assert abs(counts["0000"] - 2000) <= 5 * np.sqrt(1000)


def test_a_backend_is_pickled_with_its_settings() -> None:
    backend = SkerryBackend(method="mps", shots=7, noise_model=NoiseModel().add("x", Channel.bit_flip(1.0)))
    other = pickle.loads(pickle.dumps(backend))
    flip = QuantumCircuit(1)
    flip.x(0)
    flip.measure_all()
    assert other.options["method"] == "mps"
    assert other.run(flip, method="auto").result().get_counts() == {"0": 7}
    assert other.target.num_qubits == backend.target.num_qubits
