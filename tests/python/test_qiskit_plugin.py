"""The transpiler's stage `skerry`: what it makes means the same, by Qiskit's own reckoning with layouts."""

import numpy as np
import pytest

pytest.importorskip("qiskit")

from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap, TranspilerError
from skerry.qiskit import SkerryEstimator, SkerrySampler

LINE = GenericBackendV2(5, coupling_map=CouplingMap.from_line(5), seed=1)


def made(circuit: QuantumCircuit, level: int = 1, **keywords: object) -> QuantumCircuit:
    out: QuantumCircuit = transpile(
        circuit, LINE, layout_method="skerry", optimization_level=level, seed_transpiler=7, **keywords
    )
    return out


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_unitary_is_the_same_and_the_device_can_run_it(level: int, seed: int) -> None:
    circuit = random_circuit(5, 6, max_operands=2, seed=seed)
    found = made(circuit, level)
    for instruction in found.data:
        qubits = tuple(found.find_bit(qubit).index for qubit in instruction.qubits)
        assert LINE.target.instruction_supported(instruction.operation.name, qubits)
    assert Operator.from_circuit(found).equiv(Operator(circuit), atol=1e-6)


def test_qubits_that_are_too_many_for_the_program_stay_idle() -> None:
    circuit = random_circuit(3, 5, max_operands=2, seed=4)
    found = made(circuit)
    for label in ("ZII", "IXI", "YIZ"):
        operator = SparsePauliOp(label)
        expected = Statevector(circuit).expectation_value(operator).real
        value = SkerryEstimator().run([(found, operator.apply_layout(found.layout))]).result()[0].data.evs
        assert abs(value - expected) < 1e-6


def test_measurements_parameters_and_registers_keep_their_places() -> None:
    angle = Parameter("angle")
    circuit = QuantumCircuit(4, 3)
    circuit.x(0)
    circuit.ry(angle, 2)
    circuit.cx(0, 3)
    circuit.cx(3, 1)
    circuit.measure([3, 2, 1], [0, 1, 2])
    found = made(circuit)
    assert list(found.parameters) == [angle]
    assert [(r.name, r.size) for r in found.cregs] == [("c", 3)]
    counts = (
        SkerrySampler(seed=1).run([(found.assign_parameters({angle: np.pi}), None, 50)]).result()[0].data.c.get_counts()
    )
    assert counts == {"111": 50}


def test_what_cannot_be_laid_out_is_refused() -> None:
    with pytest.raises(TranspilerError, match="initial_layout"):
        made(QuantumCircuit(2), initial_layout=[0, 1])
    with pytest.raises(TranspilerError):
        made(QuantumCircuit(6))
