"""A thousand trajectories of a random circuit with uniform Pauli errors after every gate: share of zeros of wire 0.

Qulacs' `Depolarizing` is Channel.uniform_pauli: with probability p one of the other Paulis.
"""

from __future__ import annotations

import math

from tasks.gates import random_circuit
from tasks.libraries import Qulacs, Skerry
from tasks.task import Case, Task, Variant

SHOTS, P = 1000, 0.01


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.circuit(random_circuit(case.size), case.size)
    channel = library.module.Channel.uniform_pauli
    noise = library.module.NoiseModel().add("*", channel(P)).add("*", channel(P, 2))

    def run() -> float:
        counts = library.module.run(
            circuit, shots=SHOTS, noise=noise, method="trajectories", precision=case.precision, threads=case.threads
        ).counts
        return float(sum(times for bits, times in counts.items() if bits[-1] == "0")) / SHOTS

    return [Variant("lanes", run, lambda share: {"zeros": share})]


def qulacs(case: Case) -> list[Variant]:
    library = Qulacs(case)
    gates = library.circuit(random_circuit(case.size), case.size)
    noisy = library.module.QuantumCircuit(case.size)
    for i in range(gates.get_gate_count()):
        noisy.add_noise_gate(gates.get_gate(i), "Depolarizing", P)
    simulator = library.module.NoiseSimulator(noisy, library.module.QuantumState(case.size))

    def run() -> float:
        return float(sum(1 - (sample & 1) for sample in simulator.execute(SHOTS))) / SHOTS

    return [Variant("noise simulator", run, lambda share: {"zeros": share})]


TASK = Task(
    cases=[Case(12, "double")],
    libraries={"skerry": skerry, "qulacs": qulacs},
    reference=["qulacs"],
    must=0.5,
    aim=0.25,
    tolerance=lambda case: 5 * math.sqrt(2 / SHOTS),  # five standard errors of both samples
    state_bytes=lambda case: 0,
)
