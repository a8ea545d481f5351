"""A million shots of a random circuit, the state included. Compared: how often the lowest bit is 1."""

from __future__ import annotations

from tasks.gates import random_circuit
from tasks.libraries import Qulacs, Skerry
from tasks.task import Case, Task, Variant

SHOTS = 1_000_000


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.circuit(random_circuit(case.size), case.size)
    return [
        Variant(
            "draw",
            lambda: library.simulator.run(circuit).draw(SHOTS, seed=1),
            lambda shots: {"ones": float((shots & 1).mean())},
        )
    ]


def qulacs(case: Case) -> list[Variant]:
    library = Qulacs(case)
    state = library.module.QuantumState(case.size)

    def run(circuit: object) -> list[int]:
        state.set_zero_state()
        circuit.update_quantum_state(state)  # type: ignore[attr-defined]
        return list(state.sampling(SHOTS, 1))

    return [
        Variant(
            name,
            lambda circuit=circuit: run(circuit),  # type: ignore[misc]
            lambda shots: {"ones": sum(shot & 1 for shot in shots) / SHOTS},
        )
        for name, circuit in library.optimized(random_circuit(case.size), case.size)
    ]


TASK = Task(
    # Five standard deviations of the mean of a million coins.
    cases=[Case(20, "double"), Case(20)],
    libraries={"skerry": skerry, "qulacs": qulacs},
    reference=["qulacs"],
    must=0.3,
    aim=0.15,
    tolerance=lambda case: 5 * 0.5 / SHOTS**0.5 * 2,
)
