"""Skerry at Qiskit's: conversion both ways, a backend, a sampler, an estimator, and the transpiler's stage `skerry`.

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
from skerry.qiskit.plugin import SkerryLayout
from skerry.qiskit.primitives import SkerryEstimator, SkerrySampler

__all__ = [
    "SkerryBackend",
    "SkerryError",
    "SkerryEstimator",
    "SkerryJob",
    "SkerryLayout",
    "SkerrySampler",
    "from_qiskit",
    "statevector",
    "to_qiskit",
]
