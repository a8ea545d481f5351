"""Settings of a run, tried out on this machine and kept where they are faster.

>>> import skerry
>>> from skerry.tuning import ComprehensivePerformanceOptimizer
>>> circuit = skerry.Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(2, 3)
>>> z = skerry.Observable.parse("Z0 Z3", 4)
>>> tuned = ComprehensivePerformanceOptimizer(seconds=0.05).optimize(circuit, observables=[z])
>>> tuned.seconds <= tuned.default_seconds, round(tuned.run().expectations[0], 12)
(True, 1.0)

Every setting is measured beside the default, in turn, so that a machine whose speed drifts slows both; a setting is
kept only if it was faster in most of the pairs and by more than a fiftieth in the median, and if its answers are those
of the default.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from skerry._core import Circuit, Model, RunResult
from skerry.compiling import compile
from skerry.errors import Error, InvalidArgument
from skerry.running import Keywords, Precision, Runnable, plan, program_of, run

if TYPE_CHECKING:
    from skerry.parameters import Parameters

__all__ = ["ComprehensivePerformanceOptimizer", "Settings", "Trial", "Tuned"]

_LEAST_GAIN = 0.98
_LEAST_SAMPLE = 1e-3  # seconds; shorter runs are repeated within a sample
_MOST_SAMPLES = 15


@dataclass(frozen=True)
class Settings:
    """What is tuned. `level` of compiling decides what is fused beforehand: none leaves the program as it is."""

    threads: int = 0
    precision: Precision = "double"
    method: str = "auto"
    level: Literal["none", "low", "medium", "high"] = "none"


@dataclass(frozen=True)
class Trial:
    """One setting beside the default: medians in seconds, the largest difference of an answer, what became of it."""

    settings: Settings
    seconds: float
    default_seconds: float
    error: float
    verdict: str


@dataclass(frozen=True)
class Tuned:
    """The fastest settings found; `seconds` and `default_seconds` were measured in turn, in one last comparison."""

    settings: Settings
    program: Circuit | Model
    seconds: float
    default_seconds: float
    trials: tuple[Trial, ...]
    keywords: Mapping[str, Any]
    params: Parameters

    def run(self) -> RunResult:
        """Runs the workload with these settings."""
        return _run(self.program, self.settings, self.params, self.keywords)


class ComprehensivePerformanceOptimizer:
    """Tunes threads, precision, method and level of compiling for a workload, and keeps the best.

    max_error: the largest absolute difference that an expectation value, probability, amplitude or output may have from
    the default's; below 1e-7 single precision is not tried. seconds: about how long tuning may measure.
    """

    def __init__(self, *, max_error: float = 1e-9, seconds: float = 2.0) -> None:
        if not (max_error >= 0 and np.isfinite(max_error)):
            raise InvalidArgument(f"max_error is {max_error}", "max_error", "give a number, zero or more")
        if not (seconds > 0 and np.isfinite(seconds)):
            raise InvalidArgument(f"seconds is {seconds}", "seconds", "give a number above 0")
        self.max_error = max_error
        self.seconds = seconds

    def optimize(self, workload: Runnable, *, params: Parameters = None, **keywords: Unpack[Keywords]) -> Tuned:
        """Tries settings for a program with the keywords of skerry.run(), one setting after the other.

        Errors: those of skerry.run() with the default settings.
        """
        given: dict[str, Any] = dict(keywords)
        default = Settings(given.pop("threads", 0), given.pop("precision", "double"), given.pop("method", "auto"))
        program = program_of(workload)
        answer = _run(program, default, params, given)
        deadline = time.perf_counter() + self.seconds
        best, best_program, trials = default, program, list[Trial]()
        tried = {default}
        for changes in self._candidates(program, params, given):
            settings = replace(best, **changes)
            if settings in tried or time.perf_counter() > deadline:
                continue
            tried.add(settings)
            made = _compiled(program, settings.level)
            try:
                error = _difference(answer, _run(made, settings, params, given))
            except Error as refusal:  # a method that cannot, a limit that does not allow
                trials.append(Trial(settings, np.inf, 0.0, 0.0, f"refused: {refusal}"))
                continue
            if error > self.max_error:
                trials.append(Trial(settings, np.inf, 0.0, error, "answers differ"))
                continue
            slow, fast, is_better = self._compare((best_program, best), (made, settings), params, given)
            trials.append(Trial(settings, fast, slow, error, "kept" if is_better else "not faster"))
            if is_better:
                best, best_program = settings, made
        slow, fast, is_better = self._compare((program, default), (best_program, best), params, given)
        if not is_better:
            best, best_program, fast = default, program, slow
        return Tuned(best, best_program, fast, slow, tuple(trials), given, params)

    def _candidates(
        self, program: Circuit | Model, params: Parameters, keywords: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        cpus = len(os.sched_getaffinity(0))
        yield from ({"threads": 2**k} for k in range(cpus.bit_length()) if 2**k <= cpus)
        if isinstance(program, Circuit):
            yield from ({"level": level} for level in ("low", "medium", "high"))
            if self.max_error >= 1e-7:
                yield {"precision": "single"}
            candidates = plan(program, params=params, **keywords).candidates
            least = min((one.seconds for one in candidates if one.chosen), default=0.0)
            yield from ({"method": one.name} for one in candidates if not one.chosen and 0 < one.seconds < 4 * least)

    def _compare(
        self,
        first: tuple[Circuit | Model, Settings],
        second: tuple[Circuit | Model, Settings],
        params: Parameters,
        keywords: Mapping[str, Any],
    ) -> tuple[float, float, bool]:
        """Medians of both, run in turn, and whether the second is clearly faster."""

        def sample(which: tuple[Circuit | Model, Settings], repeat: int) -> float:
            start = time.perf_counter()
            for _ in range(repeat):
                _run(*which, params, keywords)
            return (time.perf_counter() - start) / repeat

        repeat = max(1, int(_LEAST_SAMPLE / max(1e-6, sample(first, 1))))
        until = time.perf_counter() + self.seconds / 8
        pairs = list[tuple[float, float]]()
        while len(pairs) < 3 or (len(pairs) < _MOST_SAMPLES and time.perf_counter() < until):
            pairs.append((sample(first, repeat), sample(second, repeat)))
        slow, fast = (statistics.median(side) for side in zip(*pairs, strict=True))
        wins = sum(b < a for a, b in pairs)
        return slow, fast, fast < _LEAST_GAIN * slow and 2 * wins > len(pairs)


def _compiled(program: Circuit | Model, level: str) -> Circuit | Model:
    if level in ("low", "medium", "high"):
        return compile(program, level).program  # type: ignore[arg-type]
    return program


def _run(program: Circuit | Model, settings: Settings, params: Parameters, keywords: Mapping[str, Any]) -> RunResult:
    chosen: dict[str, Any] = {"threads": settings.threads}
    if isinstance(program, Circuit):
        chosen |= {"params": params, "precision": settings.precision, "method": settings.method}
    result: RunResult = run(program, **chosen, **keywords)
    return result


def _distance(a: Any, b: Any) -> float:
    """The largest difference of two lists of amplitudes but for one phase, which compiling may lose."""
    overlap = complex(np.vdot(b, a))
    phase = overlap / abs(overlap) if overlap else 1.0
    return float(np.max(np.abs(a - phase * b), initial=0.0))


def _difference(first: RunResult, second: RunResult) -> float:
    """The largest difference of an exact answer; samples must have come from the same distribution."""
    largest = 0.0
    for name in ("expectations", "probabilities", "density"):
        a, b = getattr(first, name), getattr(second, name)
        if a is not None and np.size(a):
            largest = max(largest, float(np.max(np.abs(np.asarray(a) - np.asarray(b)))))
    if first.amplitudes is not None and second.amplitudes is not None:
        largest = max(largest, _distance(np.asarray(first.amplitudes), np.asarray(second.amplitudes)))
    if first.state is not None and second.state is not None:
        largest = max(largest, _distance(np.asarray(first.state), np.asarray(second.state)))
    for name, values in first.outputs.items():
        other = np.asarray(second.outputs[name])
        if np.asarray(values).dtype.kind in "fc":
            largest = max(largest, float(np.max(np.abs(np.asarray(values) - other), initial=0.0)))
        elif not np.array_equal(values, other):
            return float("inf")
    shots = sum(first.counts.values())
    if shots:
        keys = first.counts.keys() | second.counts.keys()
        distance = sum(abs(first.counts.get(key, 0) - second.counts.get(key, 0)) for key in keys) / (2 * shots)
        # The total variation of two samples of n over K outcomes is at most about sqrt(K / n); five deviations above.
        if distance > np.sqrt(len(keys) / shots) + 5 / np.sqrt(shots):
            return float("inf")
    return largest
