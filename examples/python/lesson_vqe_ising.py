"""The ground state of a chain of twelve spins in a transverse field, against its exact solution.

H = -sum Z_i Z_(i+1) - g sum X_i is solved by free fermions: its lowest energy is minus the sum of the singular values
of the matrix with g on the diagonal and 1 below it (Pfeuty 1970, Annals of Physics 57, 79).
"""

import numpy as np
import skerry
from skerry.vqe import LBFGS, OptimizedVQE

SPINS, FIELD = 12, 1.0

hamiltonian = skerry.Observable.from_sparse_list(
    [("ZZ", [i, i + 1], -1.0) for i in range(SPINS - 1)] + [("X", [i], -FIELD) for i in range(SPINS)], SPINS
)
exact = -np.linalg.svd(FIELD * np.eye(SPINS) + np.eye(SPINS, k=-1), compute_uv=False).sum()

# The ansatz is made of the Hamiltonian's own terms, as many layers as the light cone needs to cross half of the chain.
# Each layer shares two angles among all of its gates (Ho & Hsieh 2019, SciPost Phys. 6, 029), mirrored ends excepted.
circuit = skerry.Circuit(SPINS)
for spin in range(SPINS):
    circuit.h(spin)
for layer in range(SPINS // 2):
    for i in range(SPINS - 1):
        circuit.rzz(skerry.Parameter(f"bond{layer}_{min(i, SPINS - 2 - i)}"), i, i + 1)
    for i in range(SPINS):
        circuit.rx(skerry.Parameter(f"field{layer}_{min(i, SPINS - 1 - i)}"), i)

start = np.full(len(circuit.parameters), -0.5)
report = OptimizedVQE(circuit, LBFGS(), convergence_threshold=1e-9, max_iterations=400).minimize(hamiltonian, start)
print(f"{len(circuit.parameters)} parameters, {report}")
print(f"exact {exact:.9f}, relative error {(report.energy - exact) / abs(exact):.1e}")
assert exact - 1e-9 <= report.energy <= exact * (1 - 1e-5)
