"""Cirq's unitary operations as gates here.

Cirq's first qubit is the most significant, our qubit 0 the least: qubit i of n is n - 1 - i, so that states have the
same order on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cirq
import numpy as np

from skerry._core import Circuit
from skerry.errors import Unsupported

# Gates that are gates of ours, phases included; all others go by their matrices.
_PLAIN: dict[Any, tuple[str, int]] = {
    cirq.I: ("id", 0),
    cirq.X: ("x", 0),
    cirq.Y: ("y", 0),
    cirq.Z: ("z", 0),
    cirq.H: ("h", 0),
    cirq.S: ("s", 0),
    cirq.T: ("t", 0),
    cirq.S**-1: ("sdg", 0),
    cirq.T**-1: ("tdg", 0),
    cirq.CX: ("x", 1),
    cirq.CZ: ("z", 1),
    cirq.CCX: ("x", 2),
    cirq.CCZ: ("z", 2),
    cirq.SWAP: ("swap", 0),
    cirq.ISWAP: ("iswap", 0),
    cirq.CSWAP: ("swap", 1),
}
_ROTATIONS = {cirq.Rx: "rx", cirq.Ry: "ry", cirq.Rz: "rz"}
# A matrix on more qubits than this is taken apart first.
_MOST_MATRIX_QUBITS = 4


def from_cirq(circuit: cirq.AbstractCircuit, qubit_order: Any = cirq.QubitOrder.DEFAULT) -> Circuit:
    """A circuit of unitary operations without symbols; the first qubit of the order becomes the highest here.

    Errors: Unsupported, naming the operation, for one that is not unitary, or acts on what has not two levels.
    """
    qubits = cirq.QubitOrder.as_qubit_order(qubit_order).order_for(circuit.all_qubits())
    return written(circuit.all_operations(), qubits)


def written(operations: Iterable[Any], qubits: Sequence[Any]) -> Circuit:
    """Operations on these qubits, the first one highest."""
    made = Circuit(len(qubits))
    places = {qubit: len(qubits) - 1 - i for i, qubit in enumerate(qubits)}
    for operation in operations:
        _add(made, operation, places)
    return made


def _add(made: Circuit, operation: Any, places: Mapping[Any, int]) -> None:
    operation = operation.untagged
    wires = [places[qubit] for qubit in operation.qubits]
    gate = operation.gate
    plain = _PLAIN.get(gate) if gate is not None and not cirq.is_parameterized(gate) else None
    if plain is not None:
        made.append(plain[0], wires, controls=plain[1])
    elif type(gate) in _ROTATIONS and not cirq.is_parameterized(gate):
        made.append(_ROTATIONS[type(gate)], wires, [gate._rads])
    else:
        _add_matrix(made, operation, wires, places)


def _add_matrix(made: Circuit, operation: Any, wires: list[int], places: Mapping[Any, int]) -> None:
    if any(qubit.dimension != 2 for qubit in operation.qubits) or not cirq.has_unitary(operation):
        raise Unsupported(f"the operation {operation!r}", hint="it is not a unitary of qubits with two levels")
    parts = None if len(wires) <= _MOST_MATRIX_QUBITS else cirq.decompose_once(operation, default=None)
    if parts is not None and all(part.qubits and set(part.qubits) <= places.keys() for part in parts):
        for part in parts:
            _add(made, part, places)
        return
    matrix = np.ascontiguousarray(cirq.unitary(operation), dtype=np.complex128)
    if not wires:
        made.gphase(float(np.angle(matrix[0, 0])))
        return
    made.unitary(matrix, wires[::-1])
