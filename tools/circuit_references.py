#!/usr/bin/env python3
"""Writes tests/data/circuits/large_references.json: the likeliest states of the circuits that the manifest gives no
probabilities for, by Qiskit's own dense simulation.

Needs numpy and qiskit, and a gigabyte for 24 qubits. tools/circuit_references.py tests/data/circuits
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import qiskit
from qiskit import qasm2
from qiskit.quantum_info import Statevector

LARGEST = 24
KEPT = 16


def likeliest(path: Path) -> list[list[object]]:
    circuit = qasm2.loads(path.read_text(), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    circuit.remove_final_measurements()
    probabilities = Statevector(circuit).probabilities()
    order = np.argsort(-probabilities, kind="stable")[:KEPT]
    width = circuit.num_qubits
    return [[format(i, f"0{width}b"), float(probabilities[i])] for i in order]


def main() -> None:
    folder = Path(sys.argv[1])
    manifest = json.loads((folder / "manifest.json").read_text())
    rows = []
    for entry in manifest["circuits"]:
        has_reference = any(key.startswith("ref_") for key in entry)
        if has_reference or entry["qubits"] > LARGEST:
            continue
        probabilities = likeliest(folder / entry["file"])
        rows.append({"name": entry["name"], "file": entry["file"], "ref_top16_qubit_probs": probabilities})
    text = ",\n".join(json.dumps(row) for row in rows)
    source = json.dumps(f"qiskit {qiskit.__version__}, Statevector")
    (folder / "large_references.json").write_text(f'{{\n"source": {source},\n"circuits": [\n{text}\n]\n}}\n')


if __name__ == "__main__":
    main()
