#!/usr/bin/env python3
"""What starting costs: whole processes beside an empty C++ program, in turn, and the size of each program.

    startup.py [--rounds N] [--models FOLDER]

Must: `skerry run bell.qasm` at most 20 ms more than the empty program, `skerry-run bell.skerry` at most 3 ms more; the
command line below 40 MB, skerry-run below 4 MB.

Then models, from the start of skerry-run to its result, on one thread: all of it, what of it was neither the empty
program nor the run (loading and planning), the peak of its memory. Must: small ones at most 4 ms and 7 MB, loading
always below 10 ms. The larger ones are held against ONNX Runtime with a graph that it optimised and saved: its time to
load and run once inside of a Python that has already imported it, so that its process and its library are not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import neural

# MB that the peak must stay below, and the part of ONNX Runtime's time that the process may take (0: 4 ms instead).
MODELS = {
    "digits_cnn": (7, 0.0),
    "mlp": (7, 0.0),
    "dscnn": (7, 0.0),
    "mobilenetv2": (26, 0.35),
    "transformer": (26, 0.35),
    "minilm": (60, 0.35),
    "resnet50": (118, 0.35),
}
SMALL_MS, LOAD_MS = 4.0, 10.0
PEER = """
import sys, time, numpy, onnxruntime as ort
model, saved, inputs = sys.argv[1:4]
options = ort.SessionOptions()
options.intra_op_num_threads = 1
if saved:
    options.optimized_model_filepath = saved
else:
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
begin = time.perf_counter()
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
session.run(None, dict(numpy.load(inputs)))
print(time.perf_counter() - begin)
"""


def peer_seconds(model: Path, inputs: Path, saved: Path) -> float:
    """The least of three starts of ONNX Runtime on the graph it saved."""

    def once(source: Path, target: str) -> float:
        return float(machine.run([neural.python_with_peers(), "-c", PEER, source, target, inputs]).output.split()[-1])

    once(model, str(saved))
    return min(once(saved, "") for _ in range(3))


def first_result(command: list[str | Path]) -> tuple[float, Any]:
    """Seconds from the start of a process to its line of JSON, and that."""
    begin = time.perf_counter()
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        return time.perf_counter() - begin, json.loads(line)


def show_models(folder: Path, scratch: Path, empty_seconds: float, rounds: int) -> None:
    import numpy as np

    neural.make_models(folder)
    print(f"{'':24} {'result ms':>10} {'loading ms':>11} {'peak MB':>8}")
    for name, (most_mb, most_ratio) in MODELS.items():
        model, package = folder / f"{name}.onnx", scratch / f"{name}.skerry"
        inputs = neural.sample(model, 1)
        machine.run([machine.CLI, "compile", model, "-O", "high", "-o", package])
        command: list[str | Path] = [machine.DEVICE, package, "--threads", "1", "--json"]
        for value, array in inputs.items():
            np.save(scratch / f"{name}.{value}.npy", array)
            command += ["--input", f"{value}={scratch / f'{name}.{value}.npy'}"]
        results = [first_result(command) for _ in range(rounds + 1)][1:]
        whole = statistics.median(seconds for seconds, _ in results) * 1e3
        load = statistics.median(seconds - answer["seconds"] - empty_seconds for seconds, answer in results) * 1e3
        peak = max(answer["process_peak_bytes"] for _, answer in results) / 1e6
        most_ms, beside = SMALL_MS, f"must: {SMALL_MS:g} ms"
        if most_ratio > 0:
            np.savez(scratch / "inputs.npz", **inputs)
            peer = 1e3 * peer_seconds(model, scratch / "inputs.npz", scratch / "saved.onnx")
            most_ms = most_ratio * peer
            beside = f"{whole / peer:.2f} of ONNX Runtime's {peer:.1f} ms, must: {most_ratio:g}"
        kept = whole <= most_ms and load < LOAD_MS and peak <= most_mb
        print(
            f"{name:24} {whole:10.2f} {load:11.2f} {peak:8.2f}  {beside}, {most_mb} MB: {'kept' if kept else 'MISSED'}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--models", type=Path, default=machine.REPOSITORY / "build" / "models")
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
    with tempfile.TemporaryDirectory() as scratch_name:
        show_models(options.models, Path(scratch_name), base, options.rounds // 3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
