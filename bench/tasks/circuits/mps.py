"""Twenty weak layers on a chain of a hundred wires: <Z> in the middle, bonds of 32 at most."""

from __future__ import annotations

import random
from typing import Any

from tasks.libraries import Aer, Skerry, load
from tasks.task import Case, Task, Variant

DEPTH, BOND, TRUNCATION = 20, 32, 1e-12


def layers(wires: int) -> list[tuple[str, tuple[int, ...], float]]:
    draw = random.Random(7)
    out: list[tuple[str, tuple[int, ...], float]] = []
    for layer in range(DEPTH):
        out += [("rx", (wire,), draw.uniform(0.05, 0.25)) for wire in range(wires)]
        out += [("rzz", (wire, wire + 1), draw.uniform(0.05, 0.25)) for wire in range(layer % 2, wires - 1, 2)]
    return out


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.module.Circuit(case.size)
    for name, on, angle in layers(case.size):
        getattr(circuit, name)(angle, *on)
    middle = library.module.Observable.from_sparse_list([("Z", [case.size // 2], 1.0)], num_qubits=case.size)

    def run() -> float:
        result = library.module.run(
            circuit,
            observables=[middle],
            method="mps",
            max_bond_dimension=BOND,
            truncation_threshold=TRUNCATION,
            threads=case.threads,
        )
        return float(result.expectations[0])

    return [Variant("mps", run, lambda z: {"z": z})]


def aer(case: Case) -> list[Variant]:
    """The answer is read from probabilities: above fifty wires this version's expectation value is wrong."""
    library = Aer(case)
    circuit = library.qiskit.QuantumCircuit(case.size)
    for name, on, angle in layers(case.size):
        getattr(circuit, name)(angle, *on)
    circuit.save_probabilities([case.size // 2], label="p")
    simulator = library.aer.AerSimulator(
        method="matrix_product_state",
        precision="double",
        max_parallel_threads=case.threads,
        matrix_product_state_max_bond_dimension=BOND,
        matrix_product_state_truncation_threshold=TRUNCATION,
    )

    def run() -> float:
        p = simulator.run(circuit, shots=1).result().data(0)["p"]
        return float(p[0] - p[1])

    return [Variant("mps", run, lambda z: {"z": z})]


def quimb(case: Case) -> list[Variant]:
    tensors, pauli = load("quimb.tensor"), load("quimb").pauli("Z")

    def run() -> Any:
        circuit = tensors.CircuitMPS(case.size, max_bond=BOND, cutoff=TRUNCATION)
        for name, on, angle in layers(case.size):
            getattr(circuit, name)(angle, *on)
        return float(circuit.local_expectation(pauli, case.size // 2).real)

    return [Variant("mps", run, lambda z: {"z": z})]


TASK = Task(
    cases=[Case(100, "double")],
    libraries={"skerry": skerry, "aer": aer, "quimb": quimb},
    reference=["aer"],
    must=0.7,
    aim=0.4,
    tolerance=lambda case: 1e-5,
    state_bytes=lambda case: 0,
)
