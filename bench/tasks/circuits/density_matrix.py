"""Density matrix of a noisy random circuit: depolarizing errors after every gate, <Z> of wire 0."""

from __future__ import annotations

from tasks.gates import random_circuit
from tasks.libraries import Aer, Skerry, load
from tasks.task import Case, Task, Variant

P = 0.01


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.circuit(random_circuit(case.size), case.size)
    channel = library.module.Channel.depolarizing
    noise = library.module.NoiseModel().add("*", channel(P)).add("*", channel(P, 2))
    z = library.module.Observable.from_sparse_list([("Z", [0], 1.0)], num_qubits=case.size)

    def run() -> float:
        result = library.module.run(
            circuit, observables=[z], noise=noise, method="density", precision=case.precision, threads=case.threads
        )
        return float(result.expectations[0])

    return [Variant("density", run, lambda z: {"z": z})]


def aer(case: Case) -> list[Variant]:
    library = Aer(case)
    errors = load("qiskit_aer.noise")
    model = errors.NoiseModel()
    model.add_all_qubit_quantum_error(errors.depolarizing_error(P, 1), ["sx", "ry", "t", "h", "rx", "rz"])
    model.add_all_qubit_quantum_error(errors.depolarizing_error(P, 2), ["cz", "cx"])
    circuit = library.circuit(random_circuit(case.size), case.size)
    z = load("qiskit.quantum_info").SparsePauliOp.from_sparse_list([("Z", [0], 1.0)], num_qubits=case.size)
    circuit.save_expectation_value(z, list(range(case.size)), label="z")
    simulator = library.aer.AerSimulator(
        method="density_matrix",
        precision=case.precision,
        noise_model=model,
        max_parallel_threads=case.threads,
    )

    def run() -> float:
        return float(simulator.run(circuit, shots=1).result().data(0)["z"])

    return [Variant("density matrix", run, lambda z: {"z": z})]


TASK = Task(
    cases=[Case(10), Case(10, "double")],
    libraries={"skerry": skerry, "aer": aer},
    reference=["aer"],
    must=0.5,
    aim=0.25,
    tolerance=lambda case: 1e-4 if case.precision == "single" else 1e-5,
    state_bytes=lambda case: 0,
)
