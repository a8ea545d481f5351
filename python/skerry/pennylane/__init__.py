"""Skerry at PennyLane's: the device `skerry.qubit`.

Needs PennyLane 0.45 (`pip install skerry[pennylane]`); then `pennylane.device("skerry.qubit", wires=2)` finds it.
"""

from skerry.pennylane.device import SkerryDevice

__all__ = ["SkerryDevice"]
