"""Building, asking, printing and pickling circuits."""

import copy
import pickle

import numpy as np
import pytest
import skerry
from skerry import Circuit, Parameter


def test_builder_calls_chain_and_count() -> None:
    circuit = Circuit(3, 2)
    assert circuit.h(0) is circuit
    circuit.cx(0, 1).rx(0.5, 2).ccx(0, 1, 2).measure(0, 0)
    assert (circuit.num_qubits, circuit.num_bits, len(circuit)) == (3, 2, 5)
    assert circuit.gate_counts == {"h": 1, "cx": 1, "rx": 1, "ccx": 1, "measure": 1}


def test_every_gate_of_the_library_is_a_method_and_has_a_docstring() -> None:
    names = ["x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "p", "rx", "ry", "rz", "u", "swap", "iswap", "rzz"]
    names += ["cx", "cy", "cz", "ch", "cp", "crx", "cry", "crz", "ccx", "cswap"]
    for name in names:
        assert getattr(Circuit, name).__doc__, name


def test_a_control_can_be_added_to_any_gate() -> None:
    one = Circuit(3).x(2, controls=[0, 1])
    assert one == Circuit(3).ccx(0, 1, 2)


def test_parameters_are_declared_at_first_use_and_shared_by_name() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(2).rx(2 * a + 0.1, 0).ry(b / 2 - a, 1).rz(-a, 0)
    assert circuit.parameters == ["a", "b"]
    bound = circuit.bind([0.3, 0.8])
    assert bound.parameters == []
    expected = Circuit(2).rx(0.7, 0).ry(0.1, 1).rz(-0.3, 0)
    given = np.asarray(skerry.Simulator().run(bound))
    assert np.allclose(given, np.asarray(skerry.Simulator().run(expected)), atol=1e-14)


def test_functions_of_parameters_are_kept_symbolic() -> None:
    a = Parameter("a")
    circuit = Circuit(1).ry(a.sin() * a**2 + 1 / (1 + a.exp()), 0)
    value = np.sin(0.4) * 0.4**2 + 1 / (1 + np.exp(0.4))
    amplitudes = np.asarray(skerry.Simulator().run(circuit, [0.4]))
    assert np.allclose(amplitudes, [np.cos(value / 2), np.sin(value / 2)], atol=1e-14)


def test_an_angle_nested_too_deep_is_refused() -> None:
    angle = Parameter("a")
    with pytest.raises(skerry.LimitExceeded):
        for _ in range(100_000):
            angle = angle + 1.0


def test_text_reads_back_to_an_equal_circuit() -> None:
    circuit = Circuit(2, 2).h(0).rx(Parameter("t") * 0.5, 1, controls=[0]).measure_all()
    assert skerry.loads(circuit.text) == circuit
    assert circuit != Circuit(2, 2).h(0)
    assert circuit != "something else"


def test_circuits_pickle_and_copy() -> None:
    circuit = Circuit(2).h(0).crx(Parameter("t"), 0, 1)
    assert pickle.loads(pickle.dumps(circuit)) == circuit
    for twin in (copy.copy(circuit), copy.deepcopy(circuit), circuit.copy()):
        assert twin == circuit
        twin.x(0)
        assert twin != circuit


def test_a_unitary_acts_as_its_matrix() -> None:
    random = np.random.default_rng(3)
    matrix, _ = np.linalg.qr(random.standard_normal((4, 4)) + 1j * random.standard_normal((4, 4)))
    state = skerry.Simulator().run(Circuit(2).unitary(np.ascontiguousarray(matrix), [0, 1]))
    assert np.allclose(np.asarray(state), matrix[:, 0], atol=1e-14)


def test_a_matrix_that_is_not_unitary_or_has_the_wrong_size_is_refused() -> None:
    with pytest.raises(skerry.InvalidArgument, match="orthonormal"):
        Circuit(1).unitary(np.array([[1, 1], [0, 1]], complex), [0])
    with pytest.raises(skerry.InvalidArgument, match="4 x 4"):
        Circuit(3).unitary(np.eye(4, dtype=complex), [0])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda c: c.h(2), skerry.OutOfRange),
        (lambda c: c.cx(1, 1), skerry.InvalidArgument),
        (lambda c: c.measure(0, 5), skerry.OutOfRange),
        (lambda c: c.append("nonsense", [0]), skerry.NotFound),
        (lambda c: c.append("rx", [0]), skerry.InvalidArgument),
        (lambda c: c.h("zero"), TypeError),
        (lambda c: c.h(-1), TypeError),
    ],
)
def test_wrong_calls_are_refused_and_leave_the_circuit_alone(call, error) -> None:  # type: ignore[no-untyped-def]
    circuit = Circuit(2, 1).h(0)
    before = circuit.copy()
    with pytest.raises(error):
        call(circuit)
    assert circuit == before


def test_a_gate_list_of_the_documented_form_is_read() -> None:
    gates: list[dict[str, object]] = [
        {"type": "single_qubit", "gate": "H", "qubit": 0},
        {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": np.int64(1)},
        {"gate": "RX", "qubit": 2, "params": ["2*theta"]},
        {"gate": "RZ", "qubit": 2, "params": [np.float32(0.25)]},
        {"type": "measure", "qubits": (0, 1), "bits": (0, 1)},
    ]
    expected = Circuit(3, 2).h(0).cx(0, 1).rx(2 * Parameter("theta"), 2).rz(0.25, 2).measure(0, 0).measure(1, 1)
    assert Circuit.from_gates(gates).gate_counts == expected.gate_counts
    assert Circuit.from_gates(gates).parameters == ["theta"]
    assert skerry.run(gates, params={"theta": 0.0}, shots=50).counts.keys() <= {"00", "11"}


@pytest.mark.parametrize(
    ("entry", "error", "words"),
    [
        ({"gate": "HH", "qubit": 0}, skerry.SemanticError, "HH"),
        ({"gate": "H"}, skerry.SemanticError, ""),
        ({"gate": "H", "qubit": -1}, skerry.Error, "-1"),
        ({"gate": "H", "qubit": None}, skerry.SemanticError, "qubit"),
        ({"gate": "H", "qubit": {1: 2}}, skerry.SemanticError, "qubit"),
        ({"gate": "CX", "control": 1, "target": 1}, skerry.Error, "1"),
        ({"gate": "RX", "qubit": 0, "params": [0.1, 0.2]}, skerry.SemanticError, ""),
        ({"gate": "RX", "qubit": 0, "params": ["import os"]}, skerry.Error, ""),
        ({"gate": "H", "qubit": 10**30}, skerry.Error, "qubit"),
        ({1: "H"}, skerry.SemanticError, "key"),
        ("H 0", skerry.SemanticError, "dict"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_number(entry, error, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error) as refused:
        Circuit.from_gates([{"gate": "H", "qubit": 0}, entry])
    assert "gate 1" in refused.value.where
    assert words in str(refused.value)


def test_qasm_text_is_read_and_its_errors_carry_the_line() -> None:
    circuit = Circuit.from_qasm('OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];')
    assert circuit.gate_counts == {"h": 1, "cx": 1}
    with pytest.raises(skerry.Error) as refused:
        Circuit.from_qasm("OPENQASM 3.0;\nqubit[2] q;\nnot_a_gate q[0];\n")
    assert ":3:" in refused.value.where
