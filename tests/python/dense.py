"""State vectors by dense linear algebra: slow, short, and sharing no line with the simulators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skerry import Circuit

Matrix = NDArray[np.complex128]

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)
PAULI = {"I": I2, "X": X, "Y": Y, "Z": Z}


def rotation(generator: Matrix, theta: float) -> Matrix:
    """exp(-i theta/2 G) of a generator with G² = 1."""
    result: Matrix = np.cos(theta / 2) * np.eye(len(generator)) - 1j * np.sin(theta / 2) * generator
    return result


FIXED: dict[str, Matrix] = {
    "x": X,
    "y": Y,
    "z": Z,
    "h": (X + Z) / np.sqrt(2),
    "s": np.diag([1, 1j]),
    "t": np.diag([1, np.exp(0.25j * np.pi)]),
    "sx": ((1 + 1j) * I2 + (1 - 1j) * X) / 2,
    "swap": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], complex),
}
ROTATIONS: dict[str, Matrix] = {"rx": X, "ry": Y, "rz": Z, "rxx": np.kron(X, X), "rzz": np.kron(Z, Z)}


def embed(matrix: Matrix, targets: Sequence[int], num_qubits: int, controls: Sequence[int] = ()) -> Matrix:
    """The 2^n x 2^n matrix, entry by entry; the first target is the matrix's least significant bit."""
    size = 1 << num_qubits
    result = np.zeros((size, size), complex)
    for column in range(size):
        if not all(column >> c & 1 for c in controls):
            result[column, column] = 1
            continue
        inner = sum((column >> q & 1) << k for k, q in enumerate(targets))
        rest = column & ~sum(1 << q for q in targets)
        for row in range(len(matrix)):
            spread = sum((row >> k & 1) << q for k, q in enumerate(targets))
            result[rest | spread, column] += matrix[row, inner]
    return result


def random_circuit(num_qubits: int, gates: int, seed: int) -> tuple[Circuit, NDArray[np.complex128]]:
    """A circuit of random gates with random controls, and the state that dense matrices make of |0...0>."""
    random = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    state = np.zeros(1 << num_qubits, complex)
    state[0] = 1
    names = [name for name, m in (FIXED | ROTATIONS).items() if len(m) <= 1 << num_qubits]
    for _ in range(gates):
        name = names[random.integers(len(names))]
        angle = float(random.uniform(-np.pi, np.pi))
        matrix = FIXED[name] if name in FIXED else rotation(ROTATIONS[name], angle)
        width = len(matrix).bit_length() - 1
        wires = [int(q) for q in random.permutation(num_qubits)]
        targets, others = wires[:width], wires[width:]
        controls = others[: int(random.integers(0, min(2, len(others)) + 1))]
        angles = [] if name in FIXED else [angle]
        circuit.append(name, [*controls, *targets], angles, controls=len(controls))
        state = embed(matrix, targets, num_qubits, controls) @ state
    return circuit, state


def pauli_string(letters: str, qubits: Sequence[int], num_qubits: int) -> Matrix:
    """The 2^n x 2^n matrix of a Pauli string."""
    result = np.eye(1, dtype=complex)
    by_qubit = dict(zip(qubits, letters, strict=True))
    for qubit in range(num_qubits):
        result = np.kron(PAULI[by_qubit.get(qubit, "I")], result)
    return result
