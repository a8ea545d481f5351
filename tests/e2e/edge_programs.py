"""Circuits for edge execution, and what a process takes, seen from outside."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import skerry

from tests.e2e import programs

BELL = [
    {"type": "single_qubit", "gate": "H", "qubit": 0},
    {"type": "single_qubit", "gate": "H", "qubit": 1},
    {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1},
]
SIXTEEN_QUBITS_MB = 1.2
"""2^16 amplitudes of 16 bytes fit, 2^17 do not."""


def clustered(qubits: int, rounds: int = 3, meetings: int = 2) -> skerry.Circuit:
    """Two halves full of gates, which meet in a few controlled Z."""
    circuit = skerry.Circuit(qubits)
    half = qubits // 2
    for layer in range(rounds):
        for first in (0, half):
            for qubit in range(first, first + half):
                circuit.u(0.3 + qubit + layer, 0.2 * qubit, 0.7 * layer, qubit)
            for qubit in range(first, first + half - 1):
                circuit.cx(qubit, qubit + 1)
            circuit.cp(0.9, first + half - 1, first)
        if layer < meetings:
            circuit.cz(layer, half + 1)
    return circuit


def tangled(qubits: int, layers: int) -> skerry.Circuit:
    """Gates between all qubits: no few cuts take it apart."""
    circuit = skerry.Circuit(qubits)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.u(0.1 * qubit, 0.2 * layer, 0.4, qubit)
        for qubit in range(qubits):
            circuit.rxx(0.3 + layer, qubit, (qubit + 1 + layer % (qubits - 1)) % qubits)
    return circuit


def ghz(qubits: int) -> skerry.Circuit:
    """All zeros and all ones."""
    circuit = skerry.Circuit(qubits).h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def dense_gate(row: dict[str, Any], qubits: int) -> Any:
    """The 2^n x 2^n matrix of a row of compiled_gates, from the gate's definition alone."""
    a = row["params"]
    i, x, y, z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
    fixed = {
        "x": x,
        "y": y,
        "z": z,
        "h": (x + z) / np.sqrt(2),
        "s": np.diag([1, 1j]),
        "t": np.diag([1, np.exp(0.25j * np.pi)]),
    }
    fixed |= {"sdg": fixed["s"].conj(), "tdg": fixed["t"].conj(), "id": i}
    turns = {"rx": x, "ry": y, "rz": z, "rxx": np.kron(x, x), "ryy": np.kron(y, y), "rzz": np.kron(z, z)}
    name = row["gate"]
    if name == "unitary":
        matrix = np.array(row["matrix"]).reshape(2 ** len(row["qubits"]), -1)
    elif name in turns:
        matrix = np.cos(a[0] / 2) * np.eye(len(turns[name])) - 1j * np.sin(a[0] / 2) * turns[name]
    elif name == "p":
        matrix = np.diag([1, np.exp(1j * a[0])])
    elif name == "u":
        cos, sin = np.cos(a[0] / 2), np.sin(a[0] / 2)
        matrix = np.array(
            [[cos, -np.exp(1j * a[2]) * sin], [np.exp(1j * a[1]) * sin, np.exp(1j * (a[1] + a[2])) * cos]]
        )
    elif name == "gphase":
        matrix = np.array([[np.exp(1j * a[0])]])
    else:
        matrix = fixed[name]
    out = np.zeros((2**qubits, 2**qubits), complex)
    for column in range(2**qubits):
        if not all(column >> control & 1 for control in row["controls"]):
            out[column, column] = 1
            continue
        inner = sum((column >> qubit & 1) << k for k, qubit in enumerate(row["qubits"]))
        rest = column & ~sum(1 << qubit for qubit in row["qubits"])
        for value in range(len(matrix)):
            out[rest | sum((value >> k & 1) << qubit for k, qubit in enumerate(row["qubits"])), column] = matrix[
                value, inner
            ]
    return out


def replayed(rows: list[dict[str, Any]], qubits: int) -> Any:
    """The state that these gates make of |0...0>."""
    state = np.eye(1, 2**qubits, dtype=complex)[0]
    for row in rows:
        state = dense_gate(row, qubits) @ state
    return state


def peak_of(script: str, *words: Path | str) -> str:
    """Runs Python code in a process of its own, which starts its peak anew by `reset()` and asks for it by `peak()`."""
    begin = """
        import sys, re
        sys.path.insert(0, %r)
        import numpy as np, skerry
        from skerry.edge import *
        from tests.e2e import edge_programs
        def field(name): return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
        def reset():
            open("/proc/self/clear_refs", "w").write("5")
            return field("VmRSS")
        def peak(): return field("VmHWM")
    """
    code = textwrap.dedent(begin % str(programs.REPOSITORY)) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
