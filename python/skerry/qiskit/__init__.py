"""Skerry at Qiskit's: conversion both ways, a backend, a sampler and an estimator.

Needs Qiskit 2 (`pip install skerry[qiskit]`).

>>> from qiskit import QuantumCircuit
>>> from skerry.qiskit import SkerryBackend
>>> bell = QuantumCircuit(2)
>>> _ = bell.h(0), bell.cx(0, 1), bell.measure_all()
>>> sorted(SkerryBackend().run(bell, shots=100, seed_simulator=7).result().get_counts())
['00', '11']
"""

from skerry.qiskit.backend import SkerryBackend, SkerryJob, statevector
from skerry.qiskit.errors import SkerryError
from skerry.qiskit.incoming import from_qiskit
from skerry.qiskit.outgoing import to_qiskit
from skerry.qiskit.primitives import SkerryEstimator, SkerrySampler

__all__ = [
    "SkerryBackend",
    "SkerryError",
    "SkerryEstimator",
    "SkerryJob",
    "SkerrySampler",
    "from_qiskit",
    "statevector",
    "to_qiskit",
]
