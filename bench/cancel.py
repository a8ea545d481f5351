#!/usr/bin/env python3
"""How soon Ctrl-C ends a run: a random circuit of 28 wires in a process of its own, interrupted at moments by chance.

    cancel.py [--runs 30] [--wires 28] [--precision single] [--seed 1] [--latest 1.0]

Told is the time from the signal to the KeyboardInterrupt in the script that runs the circuit; 50 ms are a must.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import machine

MUST = 0.050  # seconds

CHILD = """
import sys, time
import skerry
from tasks.gates import random_circuit
from tasks.libraries import Skerry
from tasks.task import Case
case = Case(int(sys.argv[1]), sys.argv[2])
circuit = Skerry(case).circuit(random_circuit(case.size), case.size)
print("go", flush=True)
try:
    skerry.run(circuit, shots=1000, precision=case.precision)
    print("done", time.monotonic(), flush=True)
except KeyboardInterrupt:
    print("stopped", time.monotonic(), flush=True)
"""


def interrupt_after(seconds: float, wires: int, precision: str) -> float | None:
    """Seconds from the signal to the exception; none where the run was over before."""
    command = [sys.executable, "-c", CHILD, str(wires), precision]
    path = f"{machine.BUILD / 'python'}:{machine.REPOSITORY / 'bench'}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(seconds)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        how, when = child.stdout.readline().split()
    return float(when) - sent if how == "stopped" else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--wires", type=int, default=28)
    parser.add_argument("--precision", choices=("single", "double"), default="single")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--latest", type=float, default=1.0, help="seconds of the run at which the last signal may come"
    )
    options = parser.parse_args()
    moments = random.Random(options.seed)
    took: list[tuple[float, float]] = []  # seconds, and the moment of the signal
    while len(took) < options.runs:
        moment = moments.uniform(0.001, options.latest)
        found = interrupt_after(moment, options.wires, options.precision)
        if found is not None:
            took.append((found, moment))
    most, moment = max(took)
    median = statistics.median(seconds for seconds, _ in took)
    print(
        f"{machine.describe()}; {options.wires} wires, {options.precision}: median {median * 1e3:.1f} ms, "
        f"most {most * 1e3:.1f} ms (signal {moment * 1e3:.0f} ms after the call), "
        f"within {MUST * 1e3:.0f} ms {sum(seconds <= MUST for seconds, _ in took)} of {len(took)}"
    )
    return 0 if most <= MUST else 1


if __name__ == "__main__":
    sys.exit(main())
