#!/usr/bin/env python3
"""What starting costs: whole processes beside an empty C++ program, in turn, and the size of each program.

    startup.py [--rounds N]

Must: `skerry run bell.qasm` at most 20 ms more than the empty program, `skerry-run bell.skerry` at most 3 ms more; the
command line below 40 MB, skerry-run below 4 MB.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    options = parser.parse_args()
    bell = machine.REPOSITORY / "tests" / "data" / "circuits" / "bell_2.qasm"
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        (scratch / "empty.cpp").write_text("#include <iostream>\nint main() { std::cout << 1; }\n")
        subprocess.run(["g++", "-O2", scratch / "empty.cpp", "-o", scratch / "empty"], check=True)
        machine.run([machine.CLI, "compile", bell, "-o", scratch / "bell.skerry"])
        commands: dict[str, list[str | Path]] = {
            "empty program": [scratch / "empty"],
            "skerry run bell.qasm": [machine.CLI, "run", bell, "--json"],
            "skerry run bell.skerry": [machine.CLI, "run", scratch / "bell.skerry", "--json"],
            "skerry-run bell.skerry": [machine.DEVICE, scratch / "bell.skerry", "--json"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        peaks: dict[str, int] = {}
        for _ in range(options.rounds + 1):
            for name, command in commands.items():
                process = machine.run(command)
                times[name].append(process.seconds)
                if "--json" in command:
                    peaks[name] = process.peak_bytes
    print(machine.describe())
    base = statistics.median(times["empty program"][1:])
    print(f"{'':24} {'median ms':>10} {'min ms':>8} {'over empty ms':>14} {'peak MB':>8}")
    for name, seconds in times.items():
        median = statistics.median(seconds[1:])
        peak = f"{peaks[name] / 1e6:8.2f}" if name in peaks else ""
        print(f"{name:24} {median * 1e3:10.2f} {min(seconds[1:]) * 1e3:8.2f} {(median - base) * 1e3:14.2f} {peak}")
    for program in (machine.CLI, machine.DEVICE):
        print(f"{program.name:24} {program.stat().st_size / 1e6:10.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
