"""A hardware-efficient ansatz of 20 layers on 20 wires and its energy of 40 terms."""

from __future__ import annotations

from tasks.gates import ansatz, flops, ising_ring
from tasks.libraries import Lightning, Qsim, Qulacs, Skerry
from tasks.task import Case, Task, Variant

LAYERS = 20


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.circuit(ansatz(case.size, LAYERS), case.size)
    energy = library.observable(ising_ring(case.size), case.size)
    return [Variant("sweeps", lambda: library.simulator.expectation(circuit, energy), lambda e: {"energy": e})]


def qsim(case: Case) -> list[Variant]:
    library = Qsim(case)
    circuit = library.circuit(ansatz(case.size, LAYERS), case.size)
    energy = [library.observable(ising_ring(case.size), case.size)]
    variants = []
    for fusion in Qsim.fusions:
        simulator = library.simulator(fusion)
        variants.append(
            Variant(
                f"f={fusion}",
                lambda simulator=simulator: simulator.simulate_expectation_values(circuit, energy)[0],  # type: ignore[misc]
                lambda e: {"energy": float(e.real)},
            )
        )
    return variants


def qulacs(case: Case) -> list[Variant]:
    library = Qulacs(case)
    energy = library.observable(ising_ring(case.size), case.size)
    state = library.module.QuantumState(case.size)

    def run(circuit: object) -> float:
        state.set_zero_state()
        circuit.update_quantum_state(state)  # type: ignore[attr-defined]
        return float(energy.get_expectation_value(state))

    return [
        Variant(name, lambda circuit=circuit: run(circuit), lambda e: {"energy": e})  # type: ignore[misc]
        for name, circuit in library.optimized(ansatz(case.size, LAYERS), case.size)
    ]


def lightning(case: Case) -> list[Variant]:
    library = Lightning(case)
    measured = [library.qml.expval(library.observable(ising_ring(case.size), case.size))]
    tape = library.qml.tape.QuantumScript(library.operations(ansatz(case.size, LAYERS)), measured)
    device = library.device(case.size)
    return [Variant("tape", lambda: float(device.execute(tape)), lambda e: {"energy": e})]


TASK = Task(
    cases=[Case(20)],
    libraries={"skerry": skerry, "qsim": qsim, "qulacs": qulacs, "lightning": lightning},
    reference=["qsim"],
    must=0.5,
    aim=0.3,
    flops=lambda case: flops(ansatz(case.size, LAYERS), case.size),
)
