#!/usr/bin/env python3
"""12 qubits, depth 20, depolarizing noise after every gate, 1000 trajectories, against Qulacs.

    noise_trajectories.py [--threads N] [--repeat N]

Run it with a Python that has qulacs (tools/venv-bench makes one) and skerry on its path. The answer that is compared
first is the mean of qubit 0, within five standard errors of both samples. Both use complex128; skerry's complex64 is
told beside it. Qulacs' `Depolarizing` is Channel.uniform_pauli: with probability p one of the other Paulis.
"""

from __future__ import annotations

import argparse
import math
import sys

from noisy_circuits import random_circuit, report, skerry_circuit, timed

QUBITS, SHOTS, P = 12, 1000, 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    gates = random_circuit(QUBITS)

    import qulacs
    from qulacs import gate as g

    def operation(gate: tuple[str, int] | tuple[str, int, int]) -> object:
        name, *wires = gate
        if name == "sy":
            return g.RotY(wires[0], math.pi / 2)
        return {"sx": g.sqrtX, "t": g.T, "cz": g.CZ}[name](*wires)

    noisy = qulacs.QuantumCircuit(QUBITS)
    for gate in gates:
        noisy.add_noise_gate(operation(gate), "Depolarizing", P)
    simulator = qulacs.NoiseSimulator(noisy, qulacs.QuantumState(QUBITS))

    def peer() -> float:
        return sum(1 - 2 * (sample & 1) for sample in simulator.execute(SHOTS)) / SHOTS

    import skerry

    circuit = skerry_circuit(gates, QUBITS)
    noise = skerry.NoiseModel()
    noise.add("*", skerry.Channel.uniform_pauli(P)).add("*", skerry.Channel.uniform_pauli(P, 2))

    def ours(precision: str) -> float:
        counts = skerry.run(
            circuit, shots=SHOTS, noise=noise, method="trajectories", precision=precision, threads=options.threads
        ).counts
        return sum(times * (1 - 2 * int(bits[-1])) for bits, times in counts.items()) / SHOTS

    rows = [
        timed("qulacs complex128", peer, options.repeat),
        timed("skerry complex128", lambda: ours("double"), options.repeat),
        timed("skerry complex64", lambda: ours("single"), options.repeat),
    ]
    for row in rows[1:]:
        if abs(row.answer - rows[0].answer) > 5 * math.sqrt(2 / SHOTS):
            print(f"{row.name} answers {row.answer}, {rows[0].name} {rows[0].answer}", file=sys.stderr)
            return 1
    return report("noise 12 qubits, 1000 trajectories", rows, "qulacs complex128", must=0.5, aim=0.25)


if __name__ == "__main__":
    sys.exit(main())
