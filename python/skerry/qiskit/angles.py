"""Angles between the two: ParameterExpression and Parameter."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit import ParameterExpression

from skerry._core import Parameter
from skerry.errors import Unsupported

Angle = float | Parameter

_FUNCTIONS = {"SIN": "sin", "COS": "cos", "TAN": "tan", "ASIN": "asin", "ACOS": "acos", "ATAN": "atan"}
_FUNCTIONS |= {"EXP": "exp", "LOG": "log"}
_BINARY: dict[str, Callable[[Any, Any], Angle]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "DIV": operator.truediv,
    "POW": operator.pow,
    "RSUB": lambda left, right: right - left,
    "RDIV": lambda left, right: right / left,
    "RPOW": lambda left, right: right**left,
}


def to_angle(value: Any, known: Mapping[QiskitParameter, Angle]) -> Angle:
    """A number or an expression of Qiskit as an angle of ours; `known` says what its parameters are here."""
    if not isinstance(value, ParameterExpression):
        return float(value)
    if isinstance(value, QiskitParameter):
        return known[value]
    if not value.parameters:
        return float(value)
    affine = _affine(value, known)
    return affine if affine is not None else _replayed(value, known)


def _affine(value: ParameterExpression, known: Mapping[QiskitParameter, Angle]) -> Angle | None:
    """By derivatives, which is all that most angles need."""
    total: Angle = 0.0
    for parameter in value.parameters:
        slope = value.gradient(parameter)
        if isinstance(slope, ParameterExpression | complex):
            return None
        term = known[parameter] if slope == 1 else float(slope) * known[parameter]
        total = term if isinstance(total, float) and total == 0.0 else total + term
    offset = float(value.bind(dict.fromkeys(value.parameters, 0.0)))
    return total if offset == 0.0 else total + offset


def _replayed(value: ParameterExpression, known: Mapping[QiskitParameter, Angle]) -> Angle:
    """By the steps in which it was made, which Qiskit keeps for its files: a machine with a stack."""
    stack: list[Angle] = []
    for step in value._qpy_replay:
        for operand in (step.lhs, step.rhs):
            if operand is not None:
                stack.append(known[operand] if isinstance(operand, QiskitParameter) else float(operand))
        name = str(step.op).rpartition(".")[2]
        if name in _BINARY:
            right, left = stack.pop(), stack.pop()
            stack.append(_BINARY[name](left, right))
        elif name in _FUNCTIONS:
            stack.append(_applied(_FUNCTIONS[name], stack.pop()))
        else:
            raise Unsupported(f"the function {name} of an angle", hint="assign its parameters first")
    return stack.pop()


def _applied(name: str, operand: Angle) -> Angle:
    if isinstance(operand, float):
        return float(getattr(math, name)(operand))
    function: Callable[[], Parameter] = getattr(operand, name)
    return function()
