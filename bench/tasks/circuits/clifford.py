"""A random Clifford circuit of a hundred layers on a thousand wires, one shot of all of them."""

from __future__ import annotations

import random
from typing import Any

from tasks.gates import Gate
from tasks.libraries import Aer, Skerry, load
from tasks.task import Case, Task, Variant

DEPTH = 100


def gates(wires: int) -> list[Gate]:
    draw = random.Random(7)
    out: list[Gate] = []
    for _ in range(DEPTH):
        out += [(draw.choice(("h", "s")), (wire,), 0.0) for wire in range(wires)]
        order = draw.sample(range(wires), wires)
        out += [("cx", (order[i], order[i + 1]), 0.0) for i in range(0, wires - 1, 2)]
    return out


def bits(outcome: str) -> dict[str, float]:
    # Outcomes are coins: how many there are is all that two runs have in common.
    return {"bits": len(outcome)}


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.circuit(gates(case.size), case.size)

    def run() -> str:
        counts = library.module.run(circuit, shots=1, seed=1, method="stabilizer", threads=case.threads).counts
        return str(next(iter(counts)))

    return [Variant("stabilizer", run, bits)]


def stim(case: Case) -> list[Variant]:
    module = load("stim")
    circuit = module.Circuit()
    for name, on, _ in gates(case.size):
        circuit.append(name.upper(), list(on))
    circuit.append("M", list(range(case.size)))

    def run() -> str:
        simulator = module.TableauSimulator(seed=1)
        simulator.do(circuit)
        return "".join("1" if bit else "0" for bit in simulator.current_measurement_record())

    return [Variant("tableau", run, bits)]


def aer(case: Case) -> list[Variant]:
    library = Aer(case)
    circuit = library.qiskit.QuantumCircuit(case.size)
    for name, on, _ in gates(case.size):
        getattr(circuit, name)(*on)
    circuit.measure_all()
    simulator = library.aer.AerSimulator(method="stabilizer", max_parallel_threads=case.threads)

    def run() -> Any:
        return next(iter(simulator.run(circuit, shots=1).result().get_counts()))

    return [Variant("stabilizer", run, bits)]


TASK = Task(
    cases=[Case(1000, "double", threads=1)],
    libraries={"skerry": skerry, "stim": stim, "aer": aer},
    reference=["stim"],
    must=1.0,
    aim=0.6,
    state_bytes=lambda case: 0,
)
