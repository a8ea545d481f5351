"""Energy of a ring of spins and its gradient, for an ansatz of four layers (8 parameters a wire)."""

from __future__ import annotations

from tasks import gradients
from tasks.gates import ising_ring
from tasks.task import Case, Task, Variant


def skerry(case: Case) -> list[Variant]:
    return gradients.skerry(case, ising_ring(case.size))


def lightning(case: Case) -> list[Variant]:
    return gradients.lightning(case, ising_ring(case.size))


def qulacs(case: Case) -> list[Variant]:
    if case.precision == "single" or case.size > 16:
        return []  # complex128 alone, and minutes at 20 wires
    return gradients.qulacs(case, ising_ring(case.size))


TASK = Task(
    cases=[
        Case(12),
        Case(12, "double"),
        Case(16),
        Case(16, "double"),
        Case(20),
        Case(20, "double", slow=True),
    ],
    libraries={"skerry": skerry, "lightning": lightning, "qulacs": qulacs},
    reference=["lightning"],
    must=0.5,
    aim=0.25,
    state_bytes=lambda case: 0,
)
