#!/usr/bin/env python3
"""Density matrix of 10 qubits, depth 20, depolarizing noise after every gate, against Qiskit Aer.

    density_matrix.py [--threads N] [--repeat N]

Run it with a Python that has qiskit-aer (tools/venv-bench makes one) and skerry on its path. The answers, <Z> of qubit
0, must agree to 1e-5 (complex64: 1e-4) before anything is timed. The same precision is compared with the same; Aer's
noise model is read by skerry.noise.from_aer.
"""

from __future__ import annotations

import argparse
import math
import sys

from noisy_circuits import random_circuit, report, skerry_circuit, timed

QUBITS, P = 10, 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    gates = random_circuit(QUBITS)

    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(P, 1), ["sx", "ry", "t"])
    model.add_all_qubit_quantum_error(depolarizing_error(P, 2), ["cz"])
    theirs = QuantumCircuit(QUBITS)
    for name, *wires in gates:
        if name == "sy":
            theirs.ry(math.pi / 2, *wires)
        else:
            getattr(theirs, name)(*wires)
    z0 = SparsePauliOp.from_sparse_list([("Z", [0], 1.0)], num_qubits=QUBITS)
    theirs.save_expectation_value(z0, list(range(QUBITS)), label="z")

    def peer(precision: str) -> float:
        simulator = AerSimulator(
            method="density_matrix", precision=precision, noise_model=model, max_parallel_threads=options.threads
        )
        return float(simulator.run(theirs, shots=1).result().data(0)["z"])

    import skerry
    from skerry.noise import from_aer

    circuit, noise = skerry_circuit(gates, QUBITS), from_aer(model)
    z = skerry.Observable.parse("Z0", QUBITS)

    def ours(precision: str) -> float:
        return skerry.run(
            circuit, observables=[z], noise=noise, method="density", precision=precision, threads=options.threads
        ).expectations[0]

    failed = 0
    for precision, width, tolerance in (("double", "complex128", 1e-5), ("single", "complex64", 1e-4)):
        rows = [
            timed(f"aer {width}", lambda p=precision: peer(p), options.repeat),
            timed(f"skerry {width}", lambda p=precision: ours(p), options.repeat),
        ]
        if abs(rows[0].answer - rows[1].answer) > tolerance:
            print(f"{width}: answers {rows[0].answer} and {rows[1].answer}", file=sys.stderr)
            return 1
        failed |= report(f"density matrix 10 qubits, {width}", rows, f"aer {width}", must=0.5, aim=0.25)
    return failed


if __name__ == "__main__":
    sys.exit(main())
