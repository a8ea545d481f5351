"""Where the time of photonic runs goes: by gate and modes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from skerry._core import set_trace_file


class GateTime(NamedTuple):
    """What one gate took, over all calls and threads. modes: empty for the encoding, the outputs and the matrices."""

    gate: str
    modes: tuple[int, ...]
    backward: bool
    calls: int
    seconds: float


@dataclass(frozen=True)
class Profile:
    """What profile() saw; printed, it is a table."""

    rows: list[GateTime]  # the longest first

    @property
    def seconds(self) -> float:
        """All rows together: seconds of threads, not of the clock."""
        return sum(row.seconds for row in self.rows)

    def __str__(self) -> str:
        lines = [f"{'gate':<24} {'modes':<8} {'calls':>8} {'us':>12} {'share':>7}"]
        for row in self.rows:
            name = row.gate + (" backward" if row.backward else "")
            modes = " ".join(map(str, row.modes))
            share = row.seconds / self.seconds if self.seconds > 0 else 0.0
            lines.append(f"{name:<24} {modes:<8} {row.calls:>8} {1e6 * row.seconds:>12.1f} {share:>7.1%}")
        return "\n".join(lines)


def profile(call: Callable[[], object]) -> Profile:
    """Runs call() and tells how long each gate on each mode took in it.

    Rotations, Kerr gates and the phases of other gates are factors of the step before them and counted there. Building
    the matrices is one row. Small kets take longer under the profiler than without. Other threads of the process that
    run meanwhile are seen too, and a trace of SKERRY_TRACE ends here.

    >>> import numpy as np
    >>> from skerry import cv
    >>> generator = cv.QuantumSFGenerator(n_modes=2, latent_dim=4, layers=1)
    >>> found = cv.profile(lambda: generator.generate(np.zeros((3, 4))))
    >>> sorted((row.gate, row.modes, row.calls) for row in found.rows if row.gate == "squeezing")
    [('squeezing', (0,), 3), ('squeezing', (1,), 3)]
    """
    import json  # not at the top: `import skerry.cv` does not wait for what only this needs
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        set_trace_file(str(path))
        try:
            call()
        finally:
            set_trace_file("")
        events = json.loads(path.read_text())
    sums: dict[tuple[str, bool], tuple[int, float]] = {}
    for event in events:
        if event.get("cat") in ("fock", "fock backward"):
            key = event["name"], event["cat"] == "fock backward"
            calls, seconds = sums.get(key, (0, 0.0))
            sums[key] = calls + 1, seconds + 1e-6 * event["dur"]
    rows = []
    for (name, backward), (calls, seconds) in sums.items():
        gate, *modes = name.split()
        rows.append(GateTime(gate, tuple(map(int, modes)), backward, calls, seconds))
    return Profile(sorted(rows, key=lambda row: -row.seconds))
