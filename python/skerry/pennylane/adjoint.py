"""Derivatives of expectation values by the adjoint method, from circuits that are prepared once for all angles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pennylane.measurements import ExpectationMP
from pennylane.operation import Operator
from pennylane.tape import QuantumScript

from skerry._core import GradientProgram, Observable
from skerry.pennylane.answers import observable_of
from skerry.pennylane.gates import Writer, batch_size, has_angles, is_batchable, is_told_by_name
from skerry.running import Precision

_KEPT = 8  # prepared circuits, the latest first

Reals = NDArray[np.float64]


def is_differentiable(op: Operator) -> bool:
    """Can the operator stay as it is? A matrix is no angle, but a tape that does not train it may have it."""
    return has_angles(op)


def is_pauli_mean(mp: Any) -> bool:
    """Is it the mean of a sum of Pauli strings?"""
    return isinstance(mp, ExpectationMP) and mp.obs is not None and mp.obs.pauli_rep is not None


class Programs:
    """The last circuits that were asked for, told apart by everything but their angles."""

    def __init__(self, precision: Precision, threads: int) -> None:
        self.precision, self.threads = precision, threads
        self.kept: list[tuple[list[Observable], GradientProgram]] = []
        # The same by what a tape of named gates looks like, so that it need not be written to be found.
        self.by_look: dict[Any, tuple[list[Observable], GradientProgram]] = {}

    def __reduce__(self) -> tuple[type[Programs], tuple[Precision, int]]:
        return Programs, (self.precision, self.threads)  # what is prepared stays behind

    def prepared(self, tape: QuantumScript, num_wires: int) -> tuple[GradientProgram, Reals, list[int | None]]:
        """The program, the values of its parameters ([rows, parameters] where the tape has batches of angles), and for
        each trainable parameter of the tape its place among them."""
        operations, observables = tape.operations, [_observable(mp, num_wires) for mp in tape.measurements]
        if not all(map(is_told_by_name, operations)):
            return self.written(tape, num_wires, observables)
        look = (num_wires, *((op.name, op.wires) for op in operations))
        kept, program = self.by_look.get(look, (None, None))
        if program is None or kept != observables:
            program = self.written(tape, num_wires, observables)[0]
            self.by_look.pop(look, None)
            self.by_look[look] = (observables, program)
            while len(self.by_look) > _KEPT:
                del self.by_look[next(iter(self.by_look))]
        values = np.array([float(value) for op in operations for value in op.data], dtype=np.float64)
        return program, values, [index if index < len(values) else None for index in tape.trainable_params]

    def written(
        self, tape: QuantumScript, num_wires: int, observables: list[Observable]
    ) -> tuple[GradientProgram, Reals, list[int | None]]:
        """The same of any tape, by writing it."""
        writer = Writer(num_wires)
        values: list[Any] = []
        places: list[int | None] = []  # of each parameter of the tape; None: a matrix
        rows = batch_size(tape)
        for op in tape.operations:
            if any(np.ndim(value) for value in op.data) if rows is None else not is_batchable(op):
                writer.add(op)
                places += [None] * op.num_params
                continue
            writer.add_with_symbols(op, len(values))
            places += range(len(values), len(values) + op.num_params)
            values += map(float, op.data) if rows is None else (np.broadcast_to(value, (rows,)) for value in op.data)
        trained = [places[index] if index < len(places) else None for index in tape.trainable_params]
        numbers = np.array(values, dtype=np.float64)
        return self.program(writer, observables), numbers if rows is None else np.array(numbers.T, order="C"), trained

    def program(self, writer: Writer, observables: list[Observable]) -> GradientProgram:
        for number, (kept, program) in enumerate(self.kept):
            if kept == observables and program.matches(writer.circuit):
                self.kept.insert(0, self.kept.pop(number))
                return program
        program = GradientProgram(writer.circuit, observables, self.precision)
        self.kept.insert(0, (observables, program))
        del self.kept[_KEPT:]
        return program

    def values(self, tape: QuantumScript, num_wires: int) -> Any:
        """Expectation values; the rows of a batch run side by side."""
        program, values, _ = self.prepared(tape, num_wires)
        found = program.values(values, self.threads)
        return _one_or_all(list(found[0]) if batch_size(tape) is None else list(found.T.copy()))

    def jacobian(self, tape: QuantumScript, num_wires: int) -> tuple[Any, Any]:
        """Expectation values and their derivatives, nested as PennyLane nests them."""
        program, values, trained = self.prepared(tape, num_wires)
        found, slopes = program.value_and_grad(values, "adjoint", self.threads)
        rows = [_one_or_all([np.array(row[place]) for place in _checked(trained)]) for row in slopes[0]]
        return _one_or_all(list(found[0])), _one_or_all(rows)

    def vjp(self, tape: QuantumScript, num_wires: int, cotangents: Any) -> tuple[Any, Any]:
        """Expectation values, and the cotangents times their derivatives."""
        program, values, trained = self.prepared(tape, num_wires)
        rows = batch_size(tape)
        # [measurements, rows] there, [rows, measurements] here.
        weights = np.real(np.array(cotangents, dtype=np.complex128)).reshape(len(tape.measurements), rows or 1)
        found, products = program.vector_jacobian(values, np.array(weights.T, order="C"), self.threads)
        slopes = [products[:, place] for place in _checked(trained)]
        if rows is None:
            return _one_or_all(list(found[0])), tuple(np.array(slope[0]) for slope in slopes)
        trainable = (tape.get_parameters()[number] for number in range(len(slopes)))
        return _one_or_all(list(found.T.copy())), tuple(
            np.array(slope) if np.ndim(value) else np.array(slope.sum())
            for slope, value in zip(slopes, trainable, strict=True)
        )


def _observable(mp: Any, num_wires: int) -> Observable:
    made = observable_of(mp.obs, num_wires)
    if made is None:
        raise ValueError(f"{mp} is not the mean of a sum of Pauli strings")
    return made


def _checked(trained: list[int | None]) -> list[int]:
    places = [place for place in trained if place is not None]
    if len(places) != len(trained):
        raise ValueError("a trainable parameter is a matrix or belongs to an observable, and has no adjoint derivative")
    return places


def _one_or_all(answers: list[Any]) -> Any:
    return answers[0] if len(answers) == 1 else tuple(answers)
