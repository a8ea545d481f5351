#!/usr/bin/env python3
"""What OptimizationManager does to every model of the repository: seconds before and after, measured anew.

    optimize.py [--models FOLDER] [--runs N] [--rounds N] [--policy rules|measured]

The manager decides by its own measures; then the model as it was and as it became run by turns, and the ratio of the
medians is told. Must: no model slower by more than 2 % (the median of the rounds), the same answers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import machine
import numpy as np
import skerry
from skerry.engine import MLBasedPolicy, OptimizationManager, RuleBasedPolicy

ALLOWED = 1.02


def ratio_by_turns(before: skerry.Session, after: skerry.Session, inputs: dict[str, np.ndarray], runs: int) -> float:
    """Median seconds after / median seconds before."""
    seconds: dict[skerry.Session, list[float]] = {before: [], after: []}
    for run in range(runs + 3):
        for session, taken in seconds.items():
            begin = time.perf_counter()
            session.run(inputs)
            if run >= 3:
                taken.append(time.perf_counter() - begin)
    return statistics.median(seconds[after]) / statistics.median(seconds[before])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=machine.REPOSITORY / "tests" / "data" / "models")
    parser.add_argument("--runs", type=int, default=101)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--policy", choices=("rules", "measured"), default="rules")
    options = parser.parse_args()
    policy = RuleBasedPolicy() if options.policy == "rules" else MLBasedPolicy()
    print(machine.describe())
    slower = 0
    for file in sorted(options.models.glob("*.onnx")):
        model, archive = skerry.load(file), np.load(file.with_suffix(".npz"))
        assert isinstance(model, skerry.Model)
        inputs = {info.name: archive[f"in_{info.name}"] for info in model.inputs}
        tuned = OptimizationManager(policy).optimize(model, inputs)
        before, after = model.session(), tuned.model.session(threads=tuned.choice.threads)
        for name, right in before.run(inputs).items():
            np.testing.assert_allclose(after.run(inputs)[name], right, rtol=1e-3, atol=1e-3)
        rounds = [ratio_by_turns(before, after, inputs, options.runs) for _ in range(options.rounds)]
        ratio = statistics.median(rounds)
        slower += ratio > ALLOWED
        print(
            f"{file.stem:20} {tuned.first_seconds * 1e6:10.1f} us  {ratio:6.3f} of it ({min(rounds):.3f} to "
            f"{max(rounds):.3f})  {tuned.choice!s}{'  SLOWER' if ratio > ALLOWED else ''}"
        )
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
