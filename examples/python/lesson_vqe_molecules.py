"""The ground states of H2 and LiH by the variational eigensolver, against configuration interaction.

The Hamiltonians (STO-3G; how they were made is told in tools/molecules/make_hamiltonians.py) come with the energy that
a quantum chemistry program finds for the same orbitals. A second reference is found here: the lowest eigenvalue.
"""

import json
from pathlib import Path

import numpy as np
import skerry
from skerry.vqe import LBFGS, NaturalGradient, OptimizedVQE, Optimizer

DATA = Path(__file__).resolve().parent.parent / "data"


def ansatz(qubits: int, depth: int) -> skerry.Circuit:
    """Layers of real rotations, entangled along the line."""
    circuit = skerry.Circuit(qubits)
    for layer in range(depth + 1):
        for qubit in range(qubits):
            circuit.ry(skerry.Parameter(f"t{layer}_{qubit}"), qubit)
        if layer < depth:
            for qubit in range(qubits - 1):
                circuit.cx(qubit, qubit + 1)
    return circuit


def solve(name: str, depth: int, optimizer: Optimizer) -> None:
    molecule = json.loads((DATA / name).read_text())
    qubits = molecule["qubits"]
    terms = [(letters.replace(" ", ""), on, weight) for letters, on, weight in molecule["terms"]]
    hamiltonian = skerry.Observable.from_sparse_list(terms, qubits)
    circuit = ansatz(qubits, depth)
    start = np.random.default_rng(1).normal(scale=0.3, size=len(circuit.parameters))
    report = OptimizedVQE(circuit, optimizer, convergence_threshold=1e-10).minimize(hamiltonian, start)
    exact = molecule["configuration_interaction_energy"]
    print(f"{molecule['molecule']}: {report}")
    print(f"  {1e6 * (report.energy - exact):.3f} microhartree above configuration interaction")
    print(f"  {1e3 * (molecule['hartree_fock_energy'] - report.energy):.3f} millihartree below Hartree-Fock")
    assert abs(report.energy - exact) < 1e-6


solve("h2_sto3g.json", 1, NaturalGradient())
solve("lih_sto3g.json", 3, LBFGS())
