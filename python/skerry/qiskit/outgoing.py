"""Circuit to QuantumCircuit: row by row, without text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qiskit.circuit import BreakLoopOp, ClassicalRegister, ContinueLoopOp, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import UnitaryGate

from skerry._core import Circuit, CircuitParts
from skerry.errors import Unsupported
from skerry.qiskit.gates import make_gate

Row = tuple[str, int, list[int], list[float | int], int]

_ANGLES: dict[str, Callable[..., Any]] = {
    "neg": lambda a: -a,
    "sin": lambda a: a.sin(),
    "cos": lambda a: a.cos(),
    "tan": lambda a: a.tan(),
    "asin": lambda a: a.arcsin(),
    "acos": lambda a: a.arccos(),
    "atan": lambda a: a.arctan(),
    "exp": lambda a: a.exp(),
    "ln": lambda a: a.log(),
    "sqrt": lambda a: a**0.5,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
}
_CLASSICAL: dict[str, Callable[..., expr.Expr]] = {
    "logical_not": expr.logic_not,
    "bit_not": expr.bit_not,
    "add": expr.add,
    "sub": expr.sub,
    "mul": expr.mul,
    "div": expr.div,
    "eq": expr.equal,
    "ne": expr.not_equal,
    "lt": expr.less,
    "le": expr.less_equal,
    "gt": expr.greater,
    "ge": expr.greater_equal,
    "logical_and": expr.logic_and,
    "logical_or": expr.logic_or,
    "bit_and": expr.bit_and,
    "bit_or": expr.bit_or,
    "bit_xor": expr.bit_xor,
    "shl": expr.shift_left,
    "shr": expr.shift_right,
}
_UNARY = ("logical_not", "bit_not", "neg", "sin", "cos", "tan", "asin", "acos", "atan", "exp", "ln", "sqrt", "cast")


def to_qiskit(circuit: Circuit) -> QuantumCircuit:
    """The same circuit there; qubit i is `qubits[i]`, registers keep their names, parameters stay symbolic.

    Errors: Unsupported for the program's `end`, arrays of variables, and classical functions that Qiskit lacks.
    """
    return _Translation(circuit).finish()


class _Translation:
    def __init__(self, circuit: Circuit) -> None:
        parts = CircuitParts(circuit)
        self.rows, self.branches, self.assignments = parts.blocks(), parts.branches(), parts.assignments()
        self.matrices, self.nodes = parts.matrices(), parts.expressions()
        self.made = QuantumCircuit(
            *(QuantumRegister(size, name) for name, _, size in parts.qubit_registers()),
            *(ClassicalRegister(size, name) for name, _, size in parts.bit_registers()),
            name=circuit.name or None,
        )
        self.parameters = [QiskitParameter(name) for name in circuit.parameters]
        self.angles: dict[int, Any] = {}
        self.variables = [
            self.made.add_var(name, _lifted(0, _type_of(kind, width))) for name, kind, width, _ in parts.variables()
        ]

    def finish(self) -> QuantumCircuit:
        self.block(0)
        return self.made

    def block(self, index: int) -> None:
        for row in self.rows[index]:
            self.row(*row)

    def row(self, name: str, controls: int, wires: list[int], params: list[float | int], aux: int) -> None:
        if name == "unitary":
            gate = UnitaryGate(self.matrices[aux], check_input=False)
            self.made.append(gate.control(controls, annotated=True) if controls else gate, wires)
        elif name == "measure":
            self.made.measure(wires[0], aux)
        elif name == "reset":
            self.made.reset(wires[0])
        elif name == "barrier":
            self.made.barrier(*wires)
        elif name == "delay":
            for wire in wires:
                self.made.delay(self.angle(params[0]), wire, unit="s")
        elif name == "assign":
            self.assign(*self.assignments[aux])
        elif name in ("if_else", "while_loop"):
            self.branch(name, *self.branches[aux])
        elif name in ("break_loop", "continue_loop"):
            jump = BreakLoopOp if name == "break_loop" else ContinueLoopOp
            made = self.made
            made.append(jump(made.num_qubits, made.num_clbits), made.qubits, made.clbits)
        elif name == "end":
            raise Unsupported("the end of the program before its last instruction has no form in Qiskit")
        elif name == "gphase" and controls == 0:
            self.made.global_phase += self.angle(params[0])
        else:
            self.made.append(make_gate(name, controls, [self.angle(param) for param in params]), wires)

    def angle(self, param: float | int) -> Any:
        """A number, or the expression of that number; equal ones are made once."""
        if isinstance(param, float):
            return param
        known = self.angles.get(param)
        if known is None:
            known = self.angles[param] = self.new_angle(param)
        return known

    def new_angle(self, index: int) -> Any:
        name, a, b, _, value, *_ = self.nodes[index]
        if name == "constant":
            return value
        if name == "parameter":
            return self.parameters[a]
        if name not in _ANGLES:
            raise Unsupported(f"an angle that depends on '{name}' has no form in Qiskit")
        return _ANGLES[name](*(self.angle(operand) for operand in ((a,) if name in _UNARY else (a, b))))

    def branch(self, name: str, condition: int, then_block: int, else_block: int | None) -> None:
        outer = self.made
        blocks: list[QuantumCircuit | None] = []
        for index in (then_block, else_block):
            if index is None:
                blocks.append(None)
                continue
            self.made = outer.copy_empty_like(vars_mode="captures")
            self.made.global_phase = 0
            self.block(index)
            blocks.append(self.made)
        self.made = outer
        test = self.classical(condition)
        if name == "if_else":
            outer.if_else(test, blocks[0], blocks[1], outer.qubits, outer.clbits)
        else:
            outer.while_loop(test, blocks[0], outer.qubits, outer.clbits)

    def assign(self, to_bits: bool, first: int, count: int, index: int | None, value: int) -> None:
        if index is not None:
            raise Unsupported("an array of classical variables has no form in Qiskit")
        target = self.bits(first, count) if to_bits else self.variables[first]
        self.made.store(target, self.classical(value))

    def bits(self, first: int, count: int) -> expr.Expr:
        clbits = self.made.clbits[first : first + count]
        if count == 1:
            return expr.lift(clbits[0])
        for register in self.made.cregs:
            if list(register) == clbits:
                return expr.lift(register)
        total = None
        for place, bit in enumerate(clbits):
            number = expr.shift_left(expr.cast(expr.lift(bit), types.Uint(count)), place)
            total = number if total is None else expr.bit_or(total, number)
        return total

    def classical(self, index: int) -> expr.Expr:
        name, a, b, _, value, kind, width = self.nodes[index]
        if name == "constant":
            return _lifted(value, _type_of(kind, width))
        if name == "bit":
            return self.bits(a, 1)
        if name == "bits":
            return self.bits(a, b)
        if name == "variable":
            return self.variables[a]
        if name == "cast":
            return expr.cast(self.classical(a), _type_of(kind, width))
        if name not in _CLASSICAL:
            raise Unsupported(f"the classical operation '{name}' has no form in Qiskit")
        return _CLASSICAL[name](*(self.classical(operand) for operand in ((a,) if name in _UNARY else (a, b))))


def _type_of(kind: str, width: int) -> types.Type:
    if kind == "boolean":
        return types.Bool()
    if kind == "real":
        return types.Float()
    if kind == "angle":
        raise Unsupported("classical variables of type angle have no form in Qiskit")
    return types.Uint(width)  # a signed number has no form of its own; two's complement adds and compares equal


def _lifted(value: Any, kind: types.Type) -> expr.Expr:
    if kind.kind is types.Bool:
        return expr.lift(bool(value))
    return expr.lift(float(value)) if kind.kind is types.Float else expr.lift(int(value), kind)
