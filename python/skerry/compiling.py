"""Compiling: a program in, a smaller one that means the same out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, cast

from skerry import _core
from skerry._core import Circuit, Model, PassReport

AnyProgram = TypeVar("AnyProgram", bound=Circuit | Model)
Level = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Compiled(Generic[AnyProgram]):
    """The new program and what each pass did."""

    program: AnyProgram
    passes: list[PassReport]


def compile(
    program: AnyProgram,
    level: Level = "medium",
    *,
    disabled_passes: Sequence[str] = (),
    outcomes_only: bool = False,
    reuse_qubits: bool = False,
    progress: Callable[[float, str], object] | None = None,
) -> Compiled[AnyProgram]:
    """Runs the passes of a level; results are equivalent at every level.

    outcomes_only: only the joint distribution of the bits must stay, from |0...0>; what no measurement can tell is left
    out. reuse_qubits: the same, and qubits that were measured last are reset and used again. A circuit that measures
    nothing keeps its state.

    >>> import skerry
    >>> compiled = skerry.compile(skerry.Circuit(1).h(0).h(0), "high")
    >>> len(compiled.program)
    0
    >>> chain = skerry.Circuit(4, 4).h(0).cx(0, 1).cx(1, 2).cx(2, 3)
    >>> for qubit in range(4):
    ...     chain = chain.measure(qubit, qubit)
    >>> skerry.compile(chain, reuse_qubits=True).program.num_qubits
    2
    """
    made, passes = _core.compile_program(program, level, list(disabled_passes), progress, outcomes_only, reuse_qubits)
    return Compiled(cast(AnyProgram, made), passes)
