"""Conditions and classical values of dynamic circuits, from Qiskit's expressions into a circuit's pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

from skerry._core import CircuitParts
from skerry.errors import Unsupported

_Binary = expr.Binary.Op
_ON_NUMBERS = {
    _Binary.BIT_AND: "bit_and",
    _Binary.BIT_OR: "bit_or",
    _Binary.BIT_XOR: "bit_xor",
    _Binary.EQUAL: "eq",
    _Binary.NOT_EQUAL: "ne",
    _Binary.LESS: "lt",
    _Binary.LESS_EQUAL: "le",
    _Binary.GREATER: "gt",
    _Binary.GREATER_EQUAL: "ge",
    _Binary.SHIFT_LEFT: "shl",
    _Binary.SHIFT_RIGHT: "shr",
    _Binary.ADD: "add",
    _Binary.SUB: "sub",
    _Binary.MUL: "mul",
    _Binary.DIV: "div",
}
_ON_BOOLEANS = _ON_NUMBERS | {
    _Binary.BIT_AND: "logical_and",
    _Binary.BIT_OR: "logical_or",
    _Binary.BIT_XOR: "ne",
    _Binary.LOGIC_AND: "logical_and",
    _Binary.LOGIC_OR: "logical_or",
}


def kind_of(kind: types.Type) -> tuple[str, int]:
    """Kind and width here of a classical type there."""
    if kind.kind is types.Bool:
        return "boolean", 1
    if kind.kind is types.Uint:
        return "unsigned_integer", kind.width
    if kind.kind is types.Float:
        return "real", 64
    raise Unsupported(f"classical values of type {kind}", hint="use Bool, Uint or Float")


class Classical:
    """Translates conditions and values; `bits` and `variables` say where theirs are here."""

    def __init__(self, parts: CircuitParts, variables: dict[Any, int]) -> None:
        self.parts, self.variables = parts, variables

    def condition(self, condition: Any, bits: Mapping[Clbit, int]) -> int:
        """Of an if or a while: an expression, or a pair of a bit or a register with a number."""
        if isinstance(condition, tuple):
            target, value = condition
            return self.equals(self.target(target, bits), target, value)
        return self.value(condition, bits)

    def target(self, target: Any, bits: Mapping[Clbit, int]) -> int:
        """Of a switch: a bit, a register or an expression."""
        if isinstance(target, Clbit):
            return self.parts.bits(bits[target], 1)
        if isinstance(target, ClassicalRegister):
            return self.register([bits[bit] for bit in target])
        return self.value(target, bits)

    def equals(self, target_id: int, target: Any, value: int) -> int:
        """target == value, where the target is what target() was given."""
        if isinstance(target, Clbit):
            kind, width = "boolean", 1
        elif isinstance(target, ClassicalRegister):
            kind, width = "unsigned_integer", len(target)
        else:
            kind, width = kind_of(target.type)
        return self.parts.apply("eq", [target_id, self.parts.constant(float(int(value)), kind, width)])

    def register(self, bits: Sequence[int]) -> int:
        """Bits as an unsigned number, the first least significant, wherever they lie."""
        width = len(bits)
        if width > 1 and list(bits) == list(range(bits[0], bits[0] + width)):
            return self.parts.bits(bits[0], width)
        total = None
        for place, bit in enumerate(bits):
            number = self.parts.cast(self.parts.bits(bit, 1), "unsigned_integer", width)
            if place:
                by = self.parts.constant(float(place), "unsigned_integer", 64)
                number = self.parts.apply("shl", [number, by])
            total = number if total is None else self.parts.apply("bit_or", [total, number])
        return self.parts.constant(0.0, "unsigned_integer", 1) if total is None else total

    def value(self, node: expr.Expr, bits: Mapping[Clbit, int]) -> int:
        """Any expression of Qiskit's."""
        if isinstance(node, expr.Value):
            return self.parts.constant(float(node.value), *kind_of(node.type))
        if isinstance(node, expr.Var):
            if isinstance(node.var, Clbit | ClassicalRegister):
                return self.target(node.var, bits)
            return self.parts.variable(self.variables[node])
        if isinstance(node, expr.Cast):
            return self.parts.cast(self.value(node.operand, bits), *kind_of(node.type))
        if isinstance(node, expr.Unary):
            return self._unary(node, bits)
        if isinstance(node, expr.Binary):
            return self._binary(node, bits)
        if isinstance(node, expr.Index):
            shifted = self.parts.apply("shr", [self.value(node.target, bits), self.value(node.index, bits)])
            one = self.parts.constant(1.0, *kind_of(node.target.type))
            return self.parts.cast(self.parts.apply("bit_and", [shifted, one]), "boolean", 1)
        raise Unsupported(f"the classical expression {type(node).__name__}")

    def _unary(self, node: expr.Unary, bits: Mapping[Clbit, int]) -> int:
        operand = self.value(node.operand, bits)
        if node.op is expr.Unary.Op.NEGATE:
            return self.parts.apply("neg", [operand])
        is_logical = node.op is expr.Unary.Op.LOGIC_NOT or node.type.kind is types.Bool
        return self.parts.apply("logical_not" if is_logical else "bit_not", [operand])

    def _binary(self, node: expr.Binary, bits: Mapping[Clbit, int]) -> int:
        is_boolean = node.left.type.kind is types.Bool
        name = (_ON_BOOLEANS if is_boolean else _ON_NUMBERS).get(node.op)
        if name is None:
            raise Unsupported(f"the classical operation {node.op} on {node.left.type}")
        return self.parts.apply(name, [self.value(node.left, bits), self.value(node.right, bits)])
