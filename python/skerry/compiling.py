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
    progress: Callable[[float, str], object] | None = None,
) -> Compiled[AnyProgram]:
    """Runs the passes of a level; results are equivalent at every level.

    >>> import skerry
    >>> compiled = skerry.compile(skerry.Circuit(1).h(0).h(0), "high")
    >>> len(compiled.program)
    0
    """
    made, passes = _core.compile_program(program, level, list(disabled_passes), progress)
    return Compiled(cast(AnyProgram, made), passes)
