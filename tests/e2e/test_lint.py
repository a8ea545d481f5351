"""`skerry lint`: costs are told with their place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def circuit(folder: Path, body: str, qubits: int = 24, bits: int = 24) -> Path:
    path = folder / "in.qasm"
    path.write_text(f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{qubits}];\ncreg c[{bits}];\n{body}\n')
    return path
