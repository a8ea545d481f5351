"""What a benchmark task is: cases, and for each library the ways to run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Precision = Literal["single", "double"]
Answer = Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """One size of a task; what every library runs."""

    size: int
    precision: Precision = "single"
    threads: int = 2
    slow: bool = False  # left out unless asked for

    def __str__(self) -> str:
        return f"{self.size} {'c64' if self.precision == 'single' else 'c128'}"


@dataclass(frozen=True)
class Variant:
    """One setting of a library: `run` is timed, `answer` of what it gave is compared with the others'."""

    name: str
    run: Callable[[], Any]
    answer: Callable[[Any], Answer]
    inner: int = 1  # calls per sample


Library = Callable[[Case], Sequence[Variant]]


@dataclass(frozen=True)
class Task:
    """A row of the table. A ratio is Skerry's time over the best time among `reference`."""

    cases: Sequence[Case]
    libraries: Mapping[str, Library]
    reference: Sequence[str]
    must: float
    aim: float
    tolerance: Callable[[Case], float] = field(default=lambda case: 2e-3 if case.precision == "single" else 1e-9)
    # Floating-point operations of the gates one by one: done in the time it took, what share of a matrix product's
    # would that be? More than all of it where gates run on a part of the state. 0: not told.
    flops: Callable[[Case], float] = field(default=lambda case: 0.0)
    # Whether what sweeps read and write of the state is told: 15 states at 24 wires are a must, 6 the aim.
    moves: bool = False
    # Bytes of the state, for which passes of the measured bandwidth are told; 0: none.
    state_bytes: Callable[[Case], int] = field(
        default=lambda case: (8 if case.precision == "single" else 16) << case.size
    )
