"""Five wires through Python: build the circuit, run it, draw a thousand shots."""

from __future__ import annotations

from typing import Any

from tasks.libraries import Aer, Qulacs, Skerry
from tasks.task import Case, Task, Variant

SHOTS = 1000
CALLS = 500


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)

    def run() -> Any:
        circuit = library.module.Circuit(case.size)
        circuit.h(0)
        for wire in range(case.size - 1):
            circuit.cx(wire, wire + 1)
        return library.simulator.counts(circuit, shots=SHOTS, seed=1)

    return [Variant("counts", run, lambda counts: {"outcomes": len(counts)}, CALLS)]


def qulacs(case: Case) -> list[Variant]:
    module = Qulacs(case).module

    def run() -> Any:
        state = module.QuantumState(case.size)
        circuit = module.QuantumCircuit(case.size)
        circuit.add_H_gate(0)
        for wire in range(case.size - 1):
            circuit.add_CNOT_gate(wire, wire + 1)
        circuit.update_quantum_state(state)
        return state.sampling(SHOTS)

    return [Variant("sampling", run, lambda shots: {"outcomes": len(set(shots))}, CALLS)]


def aer(case: Case) -> list[Variant]:
    library = Aer(case)
    simulator = library.simulator()

    def run() -> Any:
        circuit = library.qiskit.QuantumCircuit(case.size)
        circuit.h(0)
        for wire in range(case.size - 1):
            circuit.cx(wire, wire + 1)
        circuit.measure_all()
        return simulator.run(circuit, shots=SHOTS).result().get_counts()

    return [Variant("counts", run, lambda counts: {"outcomes": len(counts)}, 20)]


TASK = Task(
    cases=[Case(5, "double")],
    libraries={"skerry": skerry, "qulacs": qulacs, "aer": aer},
    reference=["qulacs"],
    must=0.5,
    aim=0.2,
    state_bytes=lambda case: 0,
)
