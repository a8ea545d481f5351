"""PennyLane's operators as gates here.

PennyLane's first wire is the most significant, our qubit 0 the least: wire i of n is qubit n - 1 - i, so that states
have the same order on both sides, and the wires of a matrix are listed in reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pennylane as qp
from pennylane.operation import Operator
from pennylane.ops import Controlled, MidMeasure
from pennylane.ops.op_math import Adjoint
from pennylane.ops.op_math.condition import Conditional

from skerry._core import Circuit, CircuitParts, Parameter
from skerry.errors import Unsupported

Angle = float | Parameter

# Name there -> spelling here and the factor of the angle, for gates whose wires and angles have the same order.
_PLAIN: dict[str, tuple[str, float]] = {
    "PauliX": ("x", 1),
    "PauliY": ("y", 1),
    "PauliZ": ("z", 1),
    "Hadamard": ("h", 1),
    "S": ("s", 1),
    "T": ("t", 1),
    "SX": ("sx", 1),
    "RX": ("rx", 1),
    "RY": ("ry", 1),
    "RZ": ("rz", 1),
    "PhaseShift": ("p", 1),
    "U1": ("p", 1),
    "U3": ("u", 1),
    "GlobalPhase": ("gphase", -1),
    "SWAP": ("swap", 1),
    "ISWAP": ("iswap", 1),
    "IsingXX": ("rxx", 1),
    "IsingYY": ("ryy", 1),
    "IsingZZ": ("rzz", 1),
}
# The same with controls, which the name implies.
_CONTROLLED: dict[str, tuple[str, int]] = {
    "CNOT": ("x", 1),
    "CY": ("y", 1),
    "CZ": ("z", 1),
    "CH": ("h", 1),
    "CSWAP": ("swap", 1),
    "Toffoli": ("x", 2),
    "CCZ": ("z", 2),
    "CRX": ("rx", 1),
    "CRY": ("ry", 1),
    "CRZ": ("rz", 1),
    "ControlledPhaseShift": ("p", 1),
}
_INVERSES = {"s": "sdg", "t": "tdg", "sx": "sxdg"}
_SELF_INVERSE = {"x", "y", "z", "h", "swap"}
_BY_MATRIX = frozenset(
    (
        *("BlockEncode", "QubitUnitary", "DiagonalQubitUnitary", "PSWAP", "SISWAP", "ECR", "U2"),
        *("SingleExcitation", "SingleExcitationPlus", "SingleExcitationMinus"),
        *("DoubleExcitation", "DoubleExcitationPlus", "DoubleExcitationMinus"),
    )
)
# A matrix on more wires than this is decomposed instead.
_MOST_MATRIX_WIRES = 6
# A condition is written out outcome by outcome: of more measurements it would be longer than anybody meant.
_MOST_CONDITION_BITS = 10


def is_native(op: Operator) -> bool:
    """Does add() take this operator as it stands?"""
    if _has_name(op) or isinstance(op, MidMeasure):
        return True
    if isinstance(op, Conditional | Controlled | Adjoint):
        return is_native(op.base)
    return op.name in _BY_MATRIX and len(op.wires) <= _MOST_MATRIX_WIRES


def has_angles(op: Operator) -> bool:
    """Does add() take it with symbols in the place of its parameters? Matrices stay as they are."""
    if _has_name(op):
        return True
    if isinstance(op, Controlled | Adjoint):
        return has_angles(op.base)
    return op.name in ("BlockEncode", "QubitUnitary", "DiagonalQubitUnitary", "ECR", "SISWAP")


def is_batchable(op: Operator) -> bool:
    """Does add_with_symbols() take it, every parameter being an angle or a batch of angles?"""
    return _has_name_within(op) and not any(op.ndim_params) and not isinstance(op, MidMeasure | Conditional)


def _has_name_within(op: Operator) -> bool:
    while not _has_name(op) and isinstance(op, Controlled | Adjoint):
        op = op.base
    return _has_name(op)


def is_told_by_name(op: Operator) -> bool:
    """Do its name and its wires say all of it but its angles, none of which is a batch?"""
    return op.name in _TOLD_BY_NAME and not any(getattr(value, "ndim", 0) for value in op.data)


def batch_size(tape: Any) -> int | None:
    """The tape's, without asking where a look at the angles tells that there is none."""
    found: int | None = None if all(map(is_told_by_name, tape.operations)) else tape.batch_size
    return found


def _has_name(op: Operator) -> bool:
    return op.name in _PLAIN or op.name in _CONTROLLED or op.name in _SPECIAL


class Writer:
    """Writes operators into a circuit of as many qubits as there are wires.

    measured: the measurements midway; the outcome of the first one becomes bit 0, and so on. more_bits: kept free
    behind them. flag: a further qubit, put to zero where an outcome is not that of the postselection.
    """

    def __init__(
        self, num_wires: int, measured: Sequence[MidMeasure] = (), more_bits: int = 0, flag: int | None = None
    ) -> None:
        self.circuit = Circuit(num_wires + (flag is not None), len(measured) + more_bits)
        self.flag = flag
        self.last = num_wires - 1
        self.bit_of = {measurement: bit for bit, measurement in enumerate(measured)}
        self.symbols: list[Angle] | None = None

    def add_with_symbols(self, op: Operator, first: int) -> None:
        """Appends an operator whose angles are the parameters `first`, `first + 1`, ... of the circuit."""
        names = [str(first + place) for place in range(op.num_params)]
        for name in names:
            CircuitParts(self.circuit).add_parameter(name)  # an inverse uses them in another order
        self.symbols = [Parameter(name) for name in names]
        self.add(op)
        self.symbols = None

    def angles(self, op: Operator) -> list[Angle]:
        """The operator's angles: plain numbers, or the symbols that stand for them."""
        return self.symbols if self.symbols is not None else numbers(op)

    def qubits(self, wires: Sequence[int]) -> list[int]:
        """Of wires, numbered from 0."""
        return [self.last - wire for wire in wires]

    def add(self, op: Operator, controls: Sequence[int] = (), inverse: bool = False) -> None:
        """Appends an operator on wires numbered from 0, under controls (qubits) that must be 1, or its inverse."""
        name = op.name
        if isinstance(op, MidMeasure):
            (qubit,) = self.qubits(op.wires)
            self.circuit.measure(qubit, self.bit_of[op])
            if self.flag is not None and op.postselect is not None:
                self.unflag(self.flag, self.bit_of[op], op.postselect)
            if op.reset:
                self.circuit.reset(qubit)
        elif isinstance(op, Conditional):
            self.conditional(op)
        elif name in _PLAIN:
            spelling, factor = _PLAIN[name]
            wires = [] if spelling == "gphase" else self.qubits(op.wires)
            angles = self.angles(op)
            self.gate(spelling, [-a for a in angles] if factor < 0 else angles, wires, controls, inverse)
        elif name in _CONTROLLED:
            spelling, count = _CONTROLLED[name]
            qubits = self.qubits(op.wires)
            self.gate(spelling, self.angles(op), qubits[count:], [*controls, *qubits[:count]], inverse)
        elif name in _SPECIAL:
            _SPECIAL[name](self, op, controls, inverse)
        elif isinstance(op, Adjoint):
            self.add(op.base, controls, not inverse)
        elif isinstance(op, Controlled):
            own = self.qubits(op.control_wires)
            zeros = [qubit for qubit, value in zip(own, op.control_values, strict=True) if not value]
            self.under(zeros, lambda: self.add(op.base, [*controls, *own], inverse))
        else:
            self.matrix(op, controls, inverse)

    def unflag(self, flag: int, bit: int, wanted: int) -> None:
        """Puts the flag to zero where a bit is not what is wanted."""
        parts = CircuitParts(self.circuit)
        outcome = parts.bits(bit, 1)
        failed = parts.apply("logical_not", [outcome]) if wanted else outcome
        block = parts.open_block()
        self.circuit.reset(flag)
        parts.close_block()
        parts.if_else(failed, block, None)

    def keep_midway(self) -> None:
        """Has every measurement count as midway: one that nothing follows is else the end, where bits have no
        distribution of their own."""
        if not self.bit_of:
            return
        parts = CircuitParts(self.circuit)
        for bit in self.bit_of.values():
            condition = parts.bits(bit, 1)
            block = parts.open_block()
            self.circuit.gphase(0.0)
            parts.close_block()
            parts.if_else(condition, block, None)

    def conditional(self, op: Any) -> None:
        """Appends an operator under a condition: any function of outcomes, written as those on which it holds."""
        measurements = op.meas_val.measurements
        if len(measurements) > _MOST_CONDITION_BITS:
            text = f"a condition on {len(measurements)} measurements"
            raise Unsupported(text, op.name, f"at most {_MOST_CONDITION_BITS}")
        parts = CircuitParts(self.circuit)
        bits = [parts.bits(self.bit_of[one], 1) for one in measurements]
        condition: int | None = None
        for branch, value in op.meas_val.branches.items():
            if not value:
                continue
            wanted = [bit if one else parts.apply("logical_not", [bit]) for bit, one in zip(bits, branch, strict=True)]
            holds = wanted[0]
            for other in wanted[1:]:
                holds = parts.apply("logical_and", [holds, other])
            condition = holds if condition is None else parts.apply("logical_or", [condition, holds])
        if condition is None:
            return
        block = parts.open_block()
        self.add(op.base)
        parts.close_block()
        parts.if_else(condition, block, None)

    def gate(
        self, spelling: str, angles: Sequence[Angle], targets: list[int], controls: Sequence[int], inverse: bool
    ) -> None:
        if inverse and spelling == "u":
            theta, phi, lam = angles
            angles = [-theta, -lam, -phi]
        elif inverse and angles:
            angles = [-angle for angle in angles]
        elif inverse and spelling == "iswap":
            for _ in range(3):
                self.gate(spelling, [], targets, controls, False)
            return
        elif inverse and spelling not in _SELF_INVERSE:
            spelling = _INVERSES[spelling]
        self.circuit.append(spelling, [*controls, *targets], angles, controls=len(controls))

    def under(self, zeros: Sequence[int], write: Callable[[], None]) -> None:
        """Writes with qubits turned around that a control wants at 0."""
        for qubit in zeros:
            self.circuit.x(qubit)
        write()
        for qubit in zeros:
            self.circuit.x(qubit)

    def matrix(self, op: Operator, controls: Sequence[int], inverse: bool) -> None:
        matrix = np.asarray(qp.math.unwrap([qp.matrix(op)])[0], dtype=np.complex128)
        if matrix.ndim != 2:
            raise Unsupported(f"a batch of matrices in {op.name}")
        if inverse:
            matrix = matrix.conj().T
        targets = self.qubits(op.wires)[::-1]
        self.circuit.unitary(np.ascontiguousarray(matrix), [*controls, *targets], controls=len(controls))


def numbers(op: Operator) -> list[Angle]:
    """The operator's angles as plain numbers, whatever library's they are."""
    return [float(qp.math.toarray(value)) if not isinstance(value, float) else value for value in op.data]


# Gates that are several here, or none. Each as (writer, operator, controls, inverse).
_Special = Callable[[Writer, Any, Sequence[int], bool], None]


def _rot(writer: Writer, op: Any, controls: Sequence[int], inverse: bool) -> None:
    qubits = writer.qubits(op.wires)
    if op.name == "CRot":
        controls, qubits = [*controls, qubits[0]], qubits[1:]
    steps = list(zip(("rz", "ry", "rz"), writer.angles(op), strict=True))
    for spelling, angle in reversed(steps) if inverse else steps:
        writer.gate(spelling, [angle], qubits, controls, inverse)


def _multi_x(writer: Writer, op: Any, controls: Sequence[int], inverse: bool) -> None:
    *own, target = writer.qubits(op.wires)
    zeros = [qubit for qubit, value in zip(own, op.control_values, strict=True) if not value]
    writer.under(zeros, lambda: writer.gate("x", [], [target], [*controls, *own], inverse))


def _ising_xy(writer: Writer, op: Any, controls: Sequence[int], inverse: bool) -> None:
    # exp(i phi/4 (XX + YY)) there, exp(-i theta/4 (XX + YY)) here for beta = 0.
    (phi,) = writer.angles(op)
    writer.gate("xx_plus_yy", [-phi, 0.0], writer.qubits(op.wires), controls, inverse)


def _nothing(writer: Writer, op: Any, controls: Sequence[int], inverse: bool) -> None:
    pass


_SPECIAL: dict[str, _Special] = {
    "Rot": _rot,
    "CRot": _rot,
    "MultiControlledX": _multi_x,
    "IsingXY": _ising_xy,
    "Identity": _nothing,
    "Barrier": _nothing,
    "WireCut": _nothing,
    "Snapshot": _nothing,
}
_TOLD_BY_NAME = frozenset((*_PLAIN, *_CONTROLLED, "Rot", "CRot", "IsingXY"))
