"""A random circuit of 24 wires on two threads and on one."""

from __future__ import annotations

from dataclasses import replace

from tasks.circuits.state import libraries
from tasks.gates import random_circuit
from tasks.task import Case, Task, Variant

skerry = libraries(random_circuit)["skerry"]


def one_thread(case: Case) -> list[Variant]:
    return list(skerry(replace(case, threads=1)))


TASK = Task(
    cases=[Case(24)],
    libraries={"skerry": skerry, "skerry_one": one_thread},
    reference=["skerry_one"],
    must=1 / 1.8,
    aim=1 / 1.95,
)
