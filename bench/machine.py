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
    """A finished process: seconds of wall time, what it printed."""

    seconds: float
    output: str

    def json(self) -> Any:
        return json.loads(self.output)

    @property
    def peak_bytes(self) -> int:
        """Peak of its resident memory as it told itself; what wait4 tells is inherited from this Python."""
        return int(self.json()["process_peak_bytes"])


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Process:
    """Runs a command to its end. Raises RuntimeError with its stderr when it fails."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        child = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=errors, env={**os.environ, **(environment or {})}
        )
        code = child.wait()
        seconds = time.perf_counter() - begin
        output.seek(0)
        errors.seek(0)
        if code != 0:
            raise RuntimeError(f"{command[0]} gave {code}: {errors.read().strip()}")
        return Process(seconds, output.read())
