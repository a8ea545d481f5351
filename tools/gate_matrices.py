#!/usr/bin/env python3
"""Writes tests/data/gates/qiskit.json: the matrix of every gate of gates.def as Qiskit's circuit library gives it.

Run it again when a gate is added: ./dev python tools/gate_matrices.py > tests/data/gates/qiskit.json
Its name there stands in python/skerry/qiskit/gates.py; a gate that Qiskit does not name is written as what it is there:
"sy": lambda: library.YGate().power(0.5).
"""

from __future__ import annotations

import json
import sys

import numpy as np
import qiskit
from qiskit.circuit import library
from skerry.qiskit.gates import PLAIN, MakeGate

# Spellings with controls. Controls are Qiskit's first qubits, the least significant bits.
CONTROLLED: dict[str, MakeGate] = {
    "cx": library.CXGate,
    "ccx": library.CCXGate,
    "c3x": library.C3XGate,
    "c4x": library.C4XGate,
    "cy": library.CYGate,
    "cz": library.CZGate,
    "ccz": library.CCZGate,
    "ch": library.CHGate,
    "cs": library.CSGate,
    "csdg": library.CSdgGate,
    "csx": library.CSXGate,
    "c3sx": library.C3SXGate,
    "cp": library.CPhaseGate,
    "cu1": library.CU1Gate,
    "crx": library.CRXGate,
    "cry": library.CRYGate,
    "crz": library.CRZGate,
    "cu3": library.CU3Gate,
    "cswap": library.CSwapGate,
}


def case(name: str, make: MakeGate, params: list[float]) -> dict[str, object]:
    matrix = np.asarray(make(*params).to_matrix(), dtype=complex)
    return {
        "gate": name,
        "params": params,
        "re": [float(x) for x in matrix.real.ravel()],
        "im": [float(x) for x in matrix.imag.ravel()],
    }


def parameter_count(name: str, make: MakeGate) -> int:
    """How many angles a gate has: optional ones (XXPlusYYGate's phase) count too, the matrix of a power does not."""
    for required in range(4):
        try:
            return sum(not isinstance(angle, np.ndarray) for angle in make(*([0.1] * required)).params)
        except TypeError:
            continue
    raise ValueError(f"{name} takes more than three parameters")


def cases(table: dict[str, MakeGate], rng: np.random.Generator) -> list[dict[str, object]]:
    out = []
    for name, make in table.items():
        count = parameter_count(name, make)
        for _ in range(2 if count else 1):
            out.append(case(name, make, [float(x) for x in rng.uniform(-7, 7, count)]))
    return out


def main() -> None:
    rng = np.random.default_rng(20240229)
    document = {
        "source": f"qiskit {qiskit.__version__}",
        "gates": cases(PLAIN, rng),
        "controlled": cases(CONTROLLED, rng),
    }
    lines = [
        "{",
        f'"source": {json.dumps(document["source"])},',
        *(
            f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in document[key]) + "\n]" + end
            for key, end in (("gates", ","), ("controlled", ""))
        ),
        "}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
