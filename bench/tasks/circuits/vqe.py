"""One iteration of a variational eigensolver: 8 wires, 64 parameters, 105 terms; value and gradient."""

from __future__ import annotations

from tasks import gradients
from tasks.gates import molecule_like
from tasks.task import Case, Task, Variant


def skerry(case: Case) -> list[Variant]:
    return gradients.skerry(case, molecule_like(case.size), inner=50)


def lightning(case: Case) -> list[Variant]:
    return gradients.lightning(case, molecule_like(case.size), inner=5)


def qulacs(case: Case) -> list[Variant]:
    return gradients.qulacs(case, molecule_like(case.size), inner=20)


TASK = Task(
    cases=[Case(8, "double")],
    libraries={"skerry": skerry, "lightning": lightning, "qulacs": qulacs},
    reference=["qulacs"],
    must=0.5,
    aim=0.2,
    state_bytes=lambda case: 0,
)
