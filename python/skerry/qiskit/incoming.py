"""QuantumCircuit to Circuit: gate by gate, without text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from qiskit.circuit import (
    AnnotatedOperation,
    Barrier,
    BreakLoopOp,
    Clbit,
    ContinueLoopOp,
    ControlledGate,
    ControlModifier,
    Delay,
    ForLoopOp,
    IfElseOp,
    InverseModifier,
    Measure,
    PowerModifier,
    QuantumCircuit,
    Qubit,
    Reset,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit.classical import expr
from qiskit.circuit.controlflow import CASE_DEFAULT, BoxOp
from qiskit.circuit.library import CUGate, UnitaryGate

from skerry._core import Circuit, CircuitParts, Parameter
from skerry.errors import LimitExceeded, Unsupported
from skerry.qiskit.angles import Angle, to_angle
from skerry.qiskit.classical import Classical, kind_of
from skerry.qiskit.gates import SPELLINGS

# A for loop becomes its iterations; more of them than this is a program that should be written otherwise.
_MOST_ITERATIONS = 100_000
# Definitions of gates nest; deeper than this is taken for one that never ends.
_DEEPEST_DEFINITION = 100
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}

Jump = Callable[[], None]


def from_qiskit(circuit: QuantumCircuit) -> Circuit:
    """The same circuit here: qubits, bits and parameters in the same order, `circuit.qubits[i]` being qubit i.

    Gates of Qiskit's library become gates of ours, UnitaryGate stays a matrix, other gates go by their definitions;
    parameters stay symbolic; measurements, resets, conditions, switches and loops stay. For loops become their
    iterations. Errors: Unsupported, naming the instruction, for what has neither a meaning here nor a definition.
    """
    return _translated(circuit, frozenset())


def from_qiskit_at_zero(circuit: QuantumCircuit) -> Circuit:
    """The same for who starts at |0...0>: resets of qubits to which nothing has happened yet are left out."""
    return _translated(circuit, circuit.qubits)


def _translated(circuit: QuantumCircuit, fresh: Iterable[Qubit]) -> Circuit:
    translation = _Translation(circuit, fresh)
    translation.block(circuit, translation.scope)
    return translation.made


@dataclass(frozen=True)
class _Scope:
    """Where a block's qubits, bits and parameters are, and how loops are left."""

    qubits: Mapping[Qubit, int]
    bits: Mapping[Clbit, int]
    angles: Mapping[QiskitParameter, Angle]
    leave: Jump | None = None
    proceed: Jump | None = None


@dataclass
class _Flags:
    """Numbers for the variables that leave unrolled loops."""

    count: int = 0
    variables: dict[Any, int] = field(default_factory=dict)


class _Translation:
    def __init__(self, circuit: QuantumCircuit, fresh: Iterable[Qubit]) -> None:
        self.made = Circuit()
        self.made.name = circuit.name or ""
        self.parts = CircuitParts(self.made)
        _declare(circuit.qubits, circuit.qregs, "q", self.parts.add_qubits)
        _declare(circuit.clbits, circuit.cregs, "c", self.parts.add_bits)
        angles: dict[QiskitParameter, Angle] = {}
        for parameter in circuit.parameters:
            self.parts.add_parameter(parameter.name)
            angles[parameter] = Parameter(parameter.name)
        self.flags = _Flags()
        self.classical = Classical(self.parts, self.flags.variables)
        self.scope = _Scope(
            {qubit: i for i, qubit in enumerate(circuit.qubits)},
            {bit: i for i, bit in enumerate(circuit.clbits)},
            angles,
        )
        self.fresh = {self.scope.qubits[qubit] for qubit in fresh}

    # A block of instructions

    def block(self, circuit: QuantumCircuit, scope: _Scope) -> None:
        for variable in circuit.iter_input_vars():
            raise Unsupported(
                f"the input variable {variable.name!r}", hint="use a Parameter, or declare it with a value"
            )
        for variable in circuit.iter_declared_vars():
            kind, width = kind_of(variable.type)
            self.flags.variables[variable] = self.parts.add_variable(variable.name, kind, width)
        self.phase(circuit, [], scope)
        append, qubits, angles = self.made.append, scope.qubits, scope.angles
        for instruction in circuit.data:
            spelling = SPELLINGS.get(instruction.name) if instruction.is_standard_gate() else None
            wires = [qubits[qubit] for qubit in instruction.qubits]
            if spelling is None:
                self.operation(instruction.operation, wires, [scope.bits[bit] for bit in instruction.clbits], scope)
                self.fresh.difference_update(wires)
                continue
            self.fresh.difference_update(wires)
            params = instruction.params
            append(spelling, wires, [to_angle(value, angles) for value in params] if params else ())

    def phase(self, circuit: QuantumCircuit, controls: Sequence[int], scope: _Scope) -> None:
        phase = to_angle(circuit.global_phase, scope.angles)
        if isinstance(phase, Parameter) or phase != 0.0:
            self.made.append("gphase", list(controls), [phase], controls=len(controls))

    def operation(self, operation: Any, wires: list[int], bits: list[int], scope: _Scope) -> None:
        if isinstance(operation, Measure):
            self.made.measure(wires[0], bits[0])
        elif isinstance(operation, Reset):
            if wires[0] not in self.fresh:
                self.made.reset(wires[0])
        elif isinstance(operation, Barrier):
            self.parts.barrier(wires)
        elif isinstance(operation, Delay):
            self.delay(operation, wires)
        elif isinstance(operation, Store):
            self.store(operation, scope)
        elif isinstance(operation, IfElseOp | WhileLoopOp | ForLoopOp | SwitchCaseOp | BoxOp):
            self.control_flow(operation, wires, bits, scope)
        elif isinstance(operation, BreakLoopOp | ContinueLoopOp):
            jump = scope.leave if isinstance(operation, BreakLoopOp) else scope.proceed
            if jump is None:
                raise Unsupported(f"{operation.name} outside of a loop")
            jump()
        elif hasattr(operation, "to_matrix"):
            self.gate(operation, [], wires, scope, 0)
        else:
            self.definition(operation, wires, bits, scope, 0)

    # Gates

    def gate(self, gate: Any, controls: list[int], targets: list[int], scope: _Scope, depth: int) -> None:
        """A gate under any number of controls that must all be 1."""
        if isinstance(gate, ControlledGate):
            self.controlled(gate, controls, targets, scope, depth)
            return
        if isinstance(gate, AnnotatedOperation):
            self.annotated(gate, controls, targets, scope, depth)
            return
        spelling = SPELLINGS.get(gate.name) if getattr(gate, "_standard_gate", None) is not None else None
        if spelling is not None:
            params = [to_angle(value, scope.angles) for value in gate.params]
            self.made.append(spelling, controls + targets, params, controls=len(controls))
        elif isinstance(gate, UnitaryGate) or (gate.definition is None and hasattr(gate, "to_matrix")):
            self.matrix(gate, controls, targets)
        else:
            self.definition(gate, targets, [], scope, depth, controls)

    def matrix(self, gate: Any, controls: list[int], targets: list[int]) -> None:
        try:
            matrix = np.ascontiguousarray(gate.to_matrix(), dtype=np.complex128)
        except Exception as error:
            raise Unsupported(f"{gate.name}: it has neither a definition nor a matrix") from error
        self.made.unitary(matrix, controls + targets, controls=len(controls))

    def controlled(self, gate: ControlledGate, outer: list[int], wires: list[int], scope: _Scope, depth: int) -> None:
        controls, targets = wires[: gate.num_ctrl_qubits], wires[gate.num_ctrl_qubits :]
        with_state = _Controls(self.made, controls, gate.ctrl_state)
        with with_state:
            if isinstance(gate, CUGate):
                # Its phase belongs to the control alone: base_gate does not have it.
                theta, phi, lam, gamma = (to_angle(value, scope.angles) for value in gate.params)
                self.made.append("p", outer + controls, [gamma], controls=len(outer))
                self.made.append("u", outer + wires, [theta, phi, lam], controls=len(outer) + 1)
            else:
                self.gate(gate.base_gate, outer + controls, targets, scope, depth + 1)

    def annotated(
        self, gate: AnnotatedOperation, outer: list[int], wires: list[int], scope: _Scope, depth: int
    ) -> None:
        base = gate.base_op
        controls: list[int] = []
        state = 0
        for modifier in reversed(gate.modifiers):  # the last one's controls stand first
            if isinstance(modifier, ControlModifier):
                state |= modifier.ctrl_state << len(controls)
                controls += wires[: modifier.num_ctrl_qubits]
                wires = wires[modifier.num_ctrl_qubits :]
        for modifier in gate.modifiers:
            if isinstance(modifier, InverseModifier):
                base = base.inverse()
            elif isinstance(modifier, PowerModifier):
                base = base.power(modifier.power)
        with _Controls(self.made, controls, state):
            self.gate(base, outer + controls, wires, scope, depth + 1)

    def definition(
        self,
        gate: Any,
        wires: list[int],
        bits: list[int],
        scope: _Scope,
        depth: int,
        controls: Sequence[int] = (),
    ) -> None:
        inner = getattr(gate, "definition", None)
        if inner is None or depth > _DEEPEST_DEFINITION:
            raise Unsupported(
                f"the instruction {gate.name!r}: it has no meaning here and no definition",
                hint="decompose() it or transpile for SkerryBackend first",
            )
        here = replace(
            scope,
            qubits=dict(zip(inner.qubits, wires, strict=True)),
            bits=dict(zip(inner.clbits, bits, strict=True)),
        )
        if not controls and inner.clbits:
            self.block(inner, here)
            return
        self.phase(inner, controls, scope)
        for part in inner.data:
            places = [here.qubits[qubit] for qubit in part.qubits]
            if hasattr(part.operation, "to_matrix") or isinstance(part.operation, AnnotatedOperation):
                self.gate(part.operation, list(controls), places, scope, depth + 1)
            elif not controls:
                self.operation(part.operation, places, [], here)
            elif not isinstance(part.operation, Barrier):
                raise Unsupported(f"{part.operation.name!r} under a control, in {gate.name!r}")
            self.fresh.difference_update(places)

    # The classical side

    def delay(self, operation: Delay, wires: list[int]) -> None:
        if operation.unit not in _SECONDS:
            # Device cycles mean nothing without a device; nothing happens while a simulator waits.
            self.parts.barrier(wires)
            return
        self.parts.delay(float(operation.duration) * _SECONDS[operation.unit], wires)

    def store(self, operation: Store, scope: _Scope) -> None:
        value = self.classical.value(operation.rvalue, scope.bits)
        target = operation.lvalue
        if not isinstance(target, expr.Var):
            raise Unsupported(f"storing to {target}")
        if not isinstance(target.var, Clbit) and target in self.flags.variables:
            self.parts.assign_variable(self.flags.variables[target], value)
            return
        places = [scope.bits[bit] for bit in ([target.var] if isinstance(target.var, Clbit) else target.var)]
        if places != list(range(places[0], places[0] + len(places))):
            raise Unsupported("storing to a register whose bits do not lie side by side")
        self.parts.assign_bits(places[0], len(places), value)

    def control_flow(self, operation: Any, wires: list[int], bits: list[int], outer: _Scope) -> None:
        def scope_of(body: QuantumCircuit) -> _Scope:
            # Conditions inside may name the outer circuit's bits as well as the body's own.
            own_bits = dict(outer.bits) | dict(zip(body.clbits, bits, strict=True))
            return replace(outer, qubits=dict(zip(body.qubits, wires, strict=True)), bits=own_bits)

        self.fresh.difference_update(wires)  # what is inside may run again
        if isinstance(operation, BoxOp):
            self.block(operation.blocks[0], scope_of(operation.blocks[0]))
        elif isinstance(operation, IfElseOp):
            bodies = [body for body in operation.blocks if body is not None]
            condition = self.classical.condition(operation.condition, outer.bits)
            blocks = [self.nested(body, scope_of(body)) for body in bodies]
            self.parts.if_else(condition, blocks[0], blocks[1] if len(blocks) > 1 else None)
        elif isinstance(operation, WhileLoopOp):
            body = operation.blocks[0]
            condition = self.classical.condition(operation.condition, outer.bits)
            inside = replace(
                scope_of(body),
                leave=lambda: self.parts.jump("break_loop"),
                proceed=lambda: self.parts.jump("continue_loop"),
            )
            self.parts.while_loop(condition, self.nested(body, inside))
        elif isinstance(operation, SwitchCaseOp):
            target = self.classical.target(operation.target, outer.bits)
            self.switch(operation.target, target, list(operation.cases_specifier()), scope_of)
        else:
            self.for_loop(operation, scope_of(operation.blocks[0]))

    def nested(self, body: QuantumCircuit, scope: _Scope) -> int:
        return self.inside(lambda: self.block(body, scope))

    def inside(self, write: Jump) -> int:
        """A block of its own, written by `write`."""
        block = self.parts.open_block()
        write()
        self.parts.close_block()
        return block

    def switch(
        self, target: Any, target_id: int, cases: list[Any], scope_of: Callable[[QuantumCircuit], _Scope]
    ) -> None:
        if not cases:
            return
        (labels, body), rest = cases[0], cases[1:]
        if CASE_DEFAULT in labels:
            self.block(body, scope_of(body))  # whatever came before did not match, and nothing comes after
            return
        condition = None
        for label in labels:
            equal = self.classical.equals(target_id, target, label)
            condition = equal if condition is None else self.parts.apply("logical_or", [condition, equal])
        if condition is None:
            self.switch(target, target_id, rest, scope_of)
            return
        then_block = self.nested(body, scope_of(body))
        otherwise = self.inside(lambda: self.switch(target, target_id, rest, scope_of)) if rest else None
        self.parts.if_else(condition, then_block, otherwise)

    def for_loop(self, operation: ForLoopOp, scope: _Scope) -> None:
        indices, parameter, body = operation.params
        indices = list(indices)
        if len(indices) > _MOST_ITERATIONS:
            raise LimitExceeded(f"a for loop of {len(indices)} iterations", hint=f"at most {_MOST_ITERATIONS}")
        scopes = [
            scope if parameter is None else replace(scope, angles=dict(scope.angles) | {parameter: float(index)})
            for index in indices
        ]
        if _jumps(body):
            self.loop_with_jumps(body, scopes)
            return
        for one in scopes:
            self.block(body, one)

    def loop_with_jumps(self, body: QuantumCircuit, scopes: list[_Scope]) -> None:
        """Each iteration is a loop that is left at its end, so that `continue` leaves it too; all of them are another.

        while true { while true { body; break } if (left) break; while true { body; break } ...; break }
        """
        self.flags.count += 1
        left = self.parts.add_variable(f"left_{self.flags.count}", "boolean", 1)
        always = self.parts.constant(1.0, "boolean", 1)

        def set_left(value: float) -> None:
            self.parts.assign_variable(left, self.parts.constant(value, "boolean", 1))

        def proceed() -> None:
            self.parts.jump("break_loop")

        def leave() -> None:
            set_left(1.0)
            self.parts.jump("break_loop")

        def iteration(scope: _Scope) -> None:
            self.block(body, replace(scope, leave=leave, proceed=proceed))
            self.parts.jump("break_loop")

        def iterations() -> None:
            for scope in scopes:
                self.parts.while_loop(always, self.inside(lambda scope=scope: iteration(scope)))  # type: ignore[misc]
                self.parts.if_else(self.parts.variable(left), self.inside(proceed), None)
            self.parts.jump("break_loop")

        set_left(0.0)
        self.parts.while_loop(always, self.inside(iterations))


class _Controls:
    """Controls that must be 0 are turned around before and after."""

    def __init__(self, circuit: Circuit, controls: Sequence[int], state: int) -> None:
        self.circuit = circuit
        self.zeros = [wire for place, wire in enumerate(controls) if not state >> place & 1]

    def __enter__(self) -> None:
        for wire in self.zeros:
            self.circuit.x(wire)

    def __exit__(self, *_: object) -> None:
        for wire in self.zeros:
            self.circuit.x(wire)


def _declare(bits: Sequence[Any], registers: Sequence[Any], usual: str, add: Callable[[str, int], int]) -> None:
    """The registers, where they follow each other without gap or overlap; else one register of all."""
    if [bit for register in registers for bit in register] == list(bits):
        for register in registers:
            if len(register):
                add(register.name, len(register))
    elif bits:
        add(usual, len(bits))


def _jumps(body: QuantumCircuit) -> bool:
    """Does the body leave or repeat the loop around it? Loops inside it answer for themselves."""
    for instruction in body.data:
        operation = instruction.operation
        if isinstance(operation, BreakLoopOp | ContinueLoopOp):
            return True
        if isinstance(operation, IfElseOp | SwitchCaseOp | BoxOp) and any(map(_jumps, operation.blocks)):
            return True
    return False
