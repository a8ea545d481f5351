"""Reads 10 MB of OpenQASM 2 with Skerry and with `qiskit.qasm2.loads`.

    ./dev bench parse [--runs 3]

CPU seconds of reading a text that is in memory, the least of several runs; what was read is compared gate by gate
count. The target is 0.2 of Qiskit's time.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

import skerry
from qiskit import qasm2
from skerry.circuits import QuantumCircuitOptimizer


def program(gates: int) -> str:
    """CX and turns on eight qubits, one long line: what a compiler writes."""
    draw = random.Random(5)
    parts = ['OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[8];\n']
    for _ in range(gates // 2):
        a, b = draw.sample(range(8), 2)
        parts.append(f"cx q[{a}],q[{b}];rz({draw.random():.2f}) q[{draw.randrange(8)}];")
    return "".join(parts) + "\n"


def timed(run: Callable[[], Any], runs: int) -> tuple[Any, float]:
    """The result and the least CPU seconds."""
    best, result = float("inf"), None
    for _ in range(runs):
        result = None
        begin = time.process_time()
        result = run()
        best = min(best, time.process_time() - begin)
    return result, best


def main() -> None:
    """Prints both times and their ratio; fails when the circuits differ in size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--gates", type=int, default=720_000)
    arguments = parser.parse_args()
    text = program(arguments.gates)
    theirs, qiskit_seconds = timed(lambda: qasm2.loads(text), arguments.runs)
    counts = dict(theirs.count_ops())
    del theirs
    ours, seconds = timed(lambda: skerry.loads(text), arguments.runs)
    if QuantumCircuitOptimizer({"qubits": 8}).estimate_resources(ours)["counts"] != counts:
        raise SystemExit("the two read different circuits")
    share = seconds / qiskit_seconds
    print(f"{len(text) / 1e6:.1f} MB: Skerry {seconds:.3f} s, Qiskit {qiskit_seconds:.3f} s: {share:.3f}")


if __name__ == "__main__":
    main()
