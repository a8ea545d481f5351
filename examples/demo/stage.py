"""What all acts share: where files go, how things are printed, and the second run from a package."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skerry
from numpy.typing import NDArray
from skerry import Circuit, Model, RunResult

Arrays = Mapping[str, NDArray[Any]]
BAR = 40  # columns of a histogram


def seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def megabytes(value: int) -> str:
    return f"{value / 1e6:.3g} MB" if value >= 1e5 else f"{value / 1e3:.3g} kB"


class Stage:
    """Prints in colours on a terminal, plainly on a pipe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "build/demo"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.colours = sys.stdout.isatty()

    def _paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def title(self, text: str) -> None:
        print("\n" + self._paint(text, "1"))

    def say(self, text: str = "") -> None:
        print("\n".join(f"  {line}".rstrip() for line in text.split("\n")))

    def faint(self, text: str) -> str:
        return self._paint(text, "2")

    def price(self, result: RunResult) -> None:
        self.say(
            f"{'predicted':>10} {seconds(result.predicted_seconds):>8} {megabytes(result.predicted_bytes):>9}\n"
            f"{'measured':>10} {seconds(result.seconds):>8} {megabytes(result.peak_bytes):>9}   {result.method}"
        )

    def histogram(self, counts: Mapping[str, int], most: int = 8) -> None:
        shots = sum(counts.values())
        ranked = sorted(counts.items(), key=lambda item: -item[1])
        for outcome, times in ranked[:most]:
            bar = "#" * max(1, round(BAR * times / ranked[0][1]))
            self.say(f"{outcome}  {self._paint(f'{bar:{BAR}}', '36')} {times:6}  {100 * times / shots:5.1f} %")
        if len(ranked) > most:
            self.say(self.faint(f"and {len(ranked) - most} more"))

    def packaged(self, program: Circuit | Model, name: str) -> Path:
        path = self.folder / f"{name}.skerry"
        # A device runs a package as it is: only what is compiled to the end gives the same bits there as here.
        whole = skerry.compile(program, level="high").program if isinstance(program, Model) else program
        skerry.save(whole, path)
        return path

    def again_model(self, path: Path, inputs: Arrays, expected: Arrays) -> None:
        """Runs a model's package here and, where it is built, in skerry-run; says whether the answers are the same."""
        outputs = skerry.run(path, inputs=inputs).outputs
        same = all(np.array_equal(outputs[name], array) for name, array in expected.items())
        self._verdict(path, "skerry.run", same)
        if self._device() is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            arguments = []
            for name, array in inputs.items():
                np.save(Path(folder, f"in_{name}.npy"), array)
                arguments += ["--input", f"{name}={folder}/in_{name}.npy"]
            for name in expected:
                arguments += ["--output", f"{name}={folder}/out_{name}.npy"]
            self._run_device(path, arguments)
            same = all(np.array_equal(np.load(f"{folder}/out_{name}.npy"), array) for name, array in expected.items())
        self._verdict(path, "skerry-run", same)

    def again_circuit(self, path: Path, shots: int, seed: int, expected: Mapping[str, int]) -> None:
        self._verdict(path, "skerry.run", skerry.run(path, shots=shots, seed=seed).counts == expected)
        if self._device() is not None:
            answer = self._run_device(path, ["--shots", str(shots), "--seed", str(seed)])
            self._verdict(path, "skerry-run", answer["counts"] == expected)

    def _verdict(self, path: Path, runner: str, same: bool) -> None:
        if not same:
            raise SystemExit(f"{path.name} gives other answers in {runner}")
        size = megabytes(path.stat().st_size)
        self.say(self.faint(f"{runner} {path.relative_to(self.root)} ({size}): the same answers"))

    def _device(self) -> Path | None:
        program = self.root / "build/release/apps/run/skerry-run"
        return program if program.exists() else None

    def _run_device(self, path: Path, arguments: list[str]) -> dict[str, Any]:
        program = self._device()
        assert program is not None
        done = subprocess.run([program, path, "--json", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"skerry-run: {done.stdout or done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
