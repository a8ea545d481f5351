"""The machine a figure was taken on, and processes whose price is measured from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build" / "release"
CLI = BUILD / "apps" / "cli" / "skerry"
DEVICE = BUILD / "apps" / "run" / "skerry-run"


def describe() -> str:
    """One line: CPU, cores, memory."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown CPU",
    )
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {len(os.sched_getaffinity(0))} CPUs, {gib:.0f} GiB"


@dataclass(frozen=True)
class Process:
    """A finished process: seconds of wall time, peak resident bytes, what it printed."""

    seconds: float
    peak_bytes: int
    output: str

    def json(self) -> Any:
        return json.loads(self.output)


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Process:
    """Runs a command to its end. Raises RuntimeError with its stderr when it fails."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        child = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=errors, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            raise RuntimeError(f"{command[0]} gave {child.returncode}: {errors.read().strip()}")
        return Process(seconds, usage.ru_maxrss * 1024, output.read())
