"""Skerry at Cirq's: conversion, and a simulator that stands where cirq.Simulator stands.

Needs Cirq (`pip install skerry[cirq]`).

>>> import cirq
>>> from skerry.cirq import SkerrySimulator
>>> a, b = cirq.LineQubit.range(2)
>>> SkerrySimulator().simulate(cirq.Circuit(cirq.H(a), cirq.CNOT(a, b))).dirac_notation()
'0.71|00⟩ + 0.71|11⟩'
"""

from skerry.cirq.gates import from_cirq
from skerry.cirq.simulator import SkerrySimulator

__all__ = ["SkerrySimulator", "from_cirq"]
