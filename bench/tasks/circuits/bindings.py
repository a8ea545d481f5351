"""The energy of a thousand bindings of a circuit of 8 wires in one call, against a loop over its rows.

The loops are Skerry's own: `run` makes a state and asks it, as with any circuit; `prepared` asks the simulator for the
expectation value, which keeps the prepared circuit.
"""

from __future__ import annotations

from typing import Any

from tasks import gradients
from tasks.gates import ansatz, molecule_like
from tasks.libraries import Skerry, load
from tasks.task import Answer, Case, Task, Variant

ROWS = 1000


def asked(case: Case) -> tuple[Any, Any, Any, Any]:
    library = Skerry(case)
    circuit = gradients.symbolic(library.module, ansatz(case.size, gradients.LAYERS), case.size)
    rows = load("numpy").random.default_rng(1).uniform(0, 6.28, (ROWS, len(circuit.parameters)))
    return library.simulator, circuit, library.observable(molecule_like(case.size), case.size), rows


def answer(found: Any) -> Answer:
    return {"first": float(found[0]), "last": float(found[-1]), "sum": float(sum(found))}


def skerry(case: Case) -> list[Variant]:
    simulator, circuit, energy, rows = asked(case)
    return [Variant("batch", lambda: simulator.expectation(circuit, energy, rows), answer)]


def skerry_loop(case: Case) -> list[Variant]:
    simulator, circuit, energy, rows = asked(case)
    return [
        Variant("prepared", lambda: [simulator.expectation(circuit, energy, row) for row in rows], answer),
    ]


def skerry_runs(case: Case) -> list[Variant]:
    simulator, circuit, energy, rows = asked(case)
    return [
        Variant("run", lambda: [simulator.run(circuit, row).expectation(energy) for row in rows], answer),
    ]


TASK = Task(
    cases=[Case(8, "double")],
    libraries={"skerry": skerry, "skerry_loop": skerry_loop, "skerry_runs": skerry_runs},
    reference=["skerry_runs"],
    must=0.1,
    aim=0.05,
    state_bytes=lambda case: 0,
)
