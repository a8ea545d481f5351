#!/usr/bin/env python3
"""Skerry and its peers on the same circuits, one table: times, ratios, and the share of the machine's limits.

    circuits.py [--tasks rqc,qft] [--libraries skerry,qsim] [--repeat 5] [--slow] [--json FILE]

A task is a file of bench/tasks/circuits. Each library runs in a process of its own, takes part in turn, and is first
asked for its answer: answers that differ end the task. The peers live in a virtual environment of their own,
build/bench-venv, made at the first run from tools/requirements-bench.txt; SKERRY_BENCH_VENV names another.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import machine
from tasks.task import Case, Task

FOLDER = Path(__file__).resolve().parent
REQUIREMENTS = machine.REPOSITORY / "tools" / "requirements-bench.txt"
# A variant this much slower than its library's best is timed no further.
WORTH_TIMING = 1.5
SLOWEST_SAMPLE = 30.0  # seconds
# Libraries take turns, and threads of the one before spin for some milliseconds when it is done, while one's own are
# asleep and its data out of the caches. What is short is called for so long before it is timed.
SETTLED = 0.1  # seconds


def find_task(name: str) -> Task:
    task: Task = importlib.import_module(f"tasks.circuits.{name}").TASK
    return task


def task_names() -> list[str]:
    files = sorted((FOLDER / "tasks" / "circuits").glob("*.py"))
    return [file.stem for file in files if "\nTASK = " in file.read_text()]


# The child: one library, one case ----------------------------------------------------------------------------------


def serve(name: str, library: str, case: Case) -> None:
    """Answers each line, the number of a variant, with the seconds of a call and what it found."""
    variants = find_task(name).libraries[library](case)
    print(json.dumps([variant.name for variant in variants]), flush=True)
    latest: dict[int, float] = {}
    for line in sys.stdin:
        variant = variants[int(line)]
        end = time.perf_counter() + SETTLED
        while latest.get(int(line), SETTLED) < SETTLED and time.perf_counter() < end:
            variant.run()
        begin = time.perf_counter()
        for _ in range(variant.inner):
            found = variant.run()
        seconds = (time.perf_counter() - begin) / variant.inner
        latest[int(line)] = seconds
        print(json.dumps({"seconds": seconds, "answer": dict(variant.answer(found))}), flush=True)


# The parent ----------------------------------------------------------------------------------------------------------


def bench_python() -> Path:
    """The interpreter that has the peers."""
    folder = Path(os.environ.get("SKERRY_BENCH_VENV", machine.REPOSITORY / "build" / "bench-venv"))
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True)
    return python


class Library:
    """A running child."""

    def __init__(
        self, name: str, library: str, case: Case, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.name = library
        threads = {f"{prefix}_NUM_THREADS": str(case.threads) for prefix in ("OMP", "OPENBLAS", "MKL", "QULACS")}
        package = str(machine.BUILD / "python")
        command = [
            sys.executable if library.startswith("skerry") else bench_python(),
            FOLDER / "circuits.py",
            "--serve",
            json.dumps([name, library, [case.size, case.precision, case.threads]]),
        ]
        self.child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, **environment, "PYTHONPATH": package if library.startswith("skerry") else ""},
        )
        self.variants: list[str] = self._read()
        self.times: dict[int, list[float]] = {i: [] for i in range(len(self.variants))}

    def _read(self) -> Any:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.child.wait()}")
        return json.loads(line)

    def sample(self, variant: int) -> tuple[float, dict[str, float]]:
        assert self.child.stdin is not None
        print(variant, file=self.child.stdin, flush=True)
        reply = self._read()
        return reply["seconds"], reply["answer"]

    def keep_fast(self, firsts: dict[int, float]) -> None:
        """Only variants near the best are timed, and none that takes too long."""
        best = min(firsts.values())
        self.times = {i: [] for i, first in firsts.items() if first <= WORTH_TIMING * best}
        if best > SLOWEST_SAMPLE:
            self.times = {i: [first] for i, first in firsts.items() if i in self.times}

    def best(self) -> tuple[str, list[float]]:
        variant = min(self.times, key=lambda i: statistics.median(self.times[i]))
        return self.variants[variant], self.times[variant]

    def close(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(60)


@contextmanager
def children(name: str, case: Case, wanted: list[str]) -> Iterator[list[Library]]:
    running: list[Library] = []
    try:
        for who in find_task(name).libraries:
            if not wanted or who in wanted:
                running.append(Library(name, who, case))
        yield [library for library in running if library.variants]
    finally:
        for library in running:
            library.close()


def compare(task: Task, case: Case, found: dict[str, dict[str, float]]) -> None:
    """Every value that two libraries have told must agree. Raises RuntimeError."""
    told: dict[str, tuple[str, float]] = {}
    for who, answer in found.items():
        for key, value in answer.items():
            if not value == value:
                raise RuntimeError(f"{who} says that {key} is not a number")
            other, expected = told.setdefault(key, (who, value))
            if abs(value - expected) > task.tolerance(case) * max(abs(expected), abs(value)):
                raise RuntimeError(f"{key} is {expected!r} by {other} and {value!r} by {who}")


def run_case(name: str, case: Case, wanted: list[str], repeat: int, limits: Limits) -> dict[str, Any]:
    task = find_task(name)
    with children(name, case, wanted) as libraries:
        answers: dict[str, dict[str, float]] = {}
        for library in libraries:
            firsts = {}
            for i, variant in enumerate(library.variants):
                firsts[i], answers[f"{library.name} {variant}"] = library.sample(i)
            library.keep_fast(firsts)
        compare(task, case, answers)
        for _ in range(repeat):
            for library in libraries:
                for i, times in library.times.items():
                    if not times or max(times) <= SLOWEST_SAMPLE:
                        times.append(library.sample(i)[0])
        rows: dict[str, dict[str, Any]] = {}
        for library in libraries:
            variant, times = library.best()
            median = statistics.median(times)
            row = {"variant": variant, "median": median, "min": min(times), "max": max(times), "samples": len(times)}
            if task.state_bytes(case):
                row["passes"] = median * limits.bytes_per_second / (2 * task.state_bytes(case))
            if task.flops(case):
                row["flops_share"] = task.flops(case) / (median * limits.flops_per_second[case.precision])
            if library.name == "skerry" and task.moves:
                row["states_moved"] = states_moved(name, case)
            rows[library.name] = row
    result: dict[str, Any] = {"task": name, "case": str(case), "threads": case.threads, "libraries": rows}
    references = [rows[peer]["median"] for peer in task.reference if peer in rows]
    if references and "skerry" in rows:
        result |= {"ratio": rows["skerry"]["median"] / min(references), "must": task.must, "aim": task.aim}
    return result


def show(result: dict[str, Any]) -> None:
    print(f"\n{result['task']} {result['case']}, {result['threads']} threads")
    for library, row in result["libraries"].items():
        spread = (row["max"] - row["min"]) / row["median"]
        passes = f"  {row['passes']:8.1f} passes" if "passes" in row else ""
        passes += f"  {row['states_moved']:.1f} states moved" if "states_moved" in row else ""
        passes += f"  {row['flops_share']:5.1%} of FLOP/s" if "flops_share" in row else ""
        print(
            f"  {library:10} {row['variant']:10} {row['median'] * 1e3:12.3f} ms  +-{spread / 2:4.0%}"
            f"  n={row['samples']}{passes}"
        )
    if "ratio" in result:
        verdict = (
            "aim" if result["ratio"] <= result["aim"] else "must" if result["ratio"] <= result["must"] else "missed"
        )
        print(f"  ratio {result['ratio']:.3f} (must {result['must']}, aim {result['aim']}): {verdict}")


@dataclass(frozen=True)
class Limits:
    """What the machine can do, as the planner measures it: an element-wise pass from memory, a product of matrices."""

    bytes_per_second: float
    flops_per_second: dict[str, float]  # by precision; a double is two singles


def states_moved(name: str, case: Case) -> float:
    """What the sweeps of one of Skerry's runs read and write of the state, in states: counted by the run itself."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        library = Library(name, "skerry", case, {"SKERRY_TRACE": str(trace)})
        library.sample(0)
        library.close()
        events = json.loads(trace.read_text())
    spans = events["traceEvents"] if isinstance(events, dict) else events
    runs = sum(span.get("name") == "run_circuit" for span in spans)
    moved = sum(span["args"]["bytes_moved"] for span in spans if span.get("name") == "sweep")
    return float(moved / (find_task(name).state_bytes(case) * max(runs, 1)))


def limits_of(threads: int) -> Limits:
    rates = machine.run([machine.CLI, "doctor", "--rates", "--json"], {"SKERRY_NUM_THREADS": str(threads)}).json()
    single = 1.0 / float(rates["rates"]["gemm_f32"])
    return Limits(1.0 / float(rates["rates"]["stream"]), {"single": single, "double": single / 2})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(task_names()))
    parser.add_argument("--libraries", default="", help="all where left out")
    parser.add_argument("--sizes", default="", help="only cases of these sizes")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--slow", action="store_true", help="cases that take minutes too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, library, case = json.loads(options.serve)
        serve(name, library, Case(*case))
        return 0
    wanted = [word for word in options.libraries.split(",") if word]
    sizes = [int(word) for word in options.sizes.split(",") if word]
    limits = limits_of(2)
    memory, flops = limits.bytes_per_second, limits.flops_per_second["single"]
    print(
        f"{machine.describe()}; memory {memory / 1e9:.1f} GB/s, products {flops / 1e9:.0f} GFLOP/s in single precision"
    )
    results = []
    for name in options.tasks.split(","):
        for case in find_task(name).cases:
            if (case.slow and not options.slow) or (sizes and case.size not in sizes):
                continue
            results.append(run_case(name, case, wanted, options.repeat, limits))
            show(results[-1])
    if options.json:
        report = {"machine": machine.describe(), **asdict(limits), "results": results}
        options.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
