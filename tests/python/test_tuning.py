"""Tuning: never slower than the default as it was measured, never another answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import tuning
from skerry.tuning import ComprehensivePerformanceOptimizer

DATA = Path(__file__).resolve().parents[1] / "data"


def entangled(qubits: int) -> skerry.Circuit:
    circuit = skerry.Circuit(qubits)
    for layer in range(3):
        for qubit in range(qubits):
            circuit.u(0.3 + qubit, 0.2 * layer, 0.4, qubit)
        for qubit in range(qubits):
            circuit.rxx(0.3 + layer, qubit, (qubit + 1) % qubits)
    return circuit


def z(qubits: int) -> list[skerry.Observable]:
    return [skerry.Observable.parse("Z0 Z1", qubits)]


THETA = skerry.Parameter("theta")
WORKLOADS: dict[str, tuple[Any, dict[str, Any]]] = {
    "expectation": (entangled(14), {"observables": z(14)}),
    "state": (entangled(12), {"state": True}),
    "shots": (entangled(10).measure_all(), {"shots": 2000, "seed": 3}),
    "parameters": (entangled(8).rx(THETA, 0), {"params": {"theta": 0.7}, "observables": z(8)}),
    "model": (DATA / "models/digits_cnn.onnx", {"inputs": {"x": np.ones((1, 1, 8, 8), np.float32)}}),
}


class Clock:
    """Time in which runs take what `seconds` says of their settings, whatever the machine does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[tuning.Settings], float]) -> None:
        self.now, run = 0.0, tuning._run

        def timed(program: Any, settings: tuning.Settings, *rest: Any) -> Any:
            self.now += seconds(settings)
            return run(program, settings, *rest)

        monkeypatch.setattr(tuning, "_run", timed)
        monkeypatch.setattr(tuning, "time", SimpleNamespace(perf_counter=lambda: self.now))


@pytest.mark.parametrize("name", ["expectation", "state", "shots", "parameters"])
def test_the_fastest_settings_are_kept_and_the_default_where_there_are_none(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, keywords = WORKLOADS[name]
    gains = {"none": 1.0, "low": 0.9, "medium": 0.95, "high": 0.5}

    def cost(settings: tuning.Settings) -> float:
        return 0.01 * gains[settings.level] * (0.8 if settings.threads == 1 else 1.0)

    Clock(monkeypatch, cost)
    tuned = ComprehensivePerformanceOptimizer(seconds=1000).optimize(program, **keywords)
    assert (tuned.settings.level, tuned.settings.threads) == ("high", 1)
    assert tuned.seconds == pytest.approx(0.004) and tuned.default_seconds == pytest.approx(0.01)
    monkeypatch.undo()
    Clock(monkeypatch, lambda settings: 0.01 if settings == tuning.Settings() else 0.0099)  # a gain within the noise
    same = ComprehensivePerformanceOptimizer(seconds=1000).optimize(program, **keywords)
    assert same.settings == tuning.Settings() and same.seconds == same.default_seconds
    assert {trial.verdict for trial in same.trials} == {"not faster"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_tuned_run_gives_the_default_s_answer(name: str) -> None:
    program, keywords = WORKLOADS[name]
    tuned = ComprehensivePerformanceOptimizer(max_error=1e-5, seconds=0.2).optimize(program, **keywords)
    plain, mine = skerry.run(program, **keywords), tuned.run()
    np.testing.assert_allclose(mine.expectations, plain.expectations, atol=1e-5)
    assert sum(mine.counts.values()) == sum(plain.counts.values())
    if plain.state is not None and mine.state is not None:
        assert abs(np.vdot(np.asarray(plain.state), np.asarray(mine.state))) == pytest.approx(1, abs=1e-5)
    for output, values in plain.outputs.items():
        np.testing.assert_allclose(mine.outputs[output], values, atol=1e-5)


def test_a_state_without_its_global_phase_is_no_other_answer() -> None:
    tuned = ComprehensivePerformanceOptimizer(seconds=0.3).optimize(entangled(10).rz(0.4, 0), state=True)
    assert {trial.settings.level for trial in tuned.trials} >= {"low", "medium", "high"}
    assert all(trial.error <= 1e-9 for trial in tuned.trials), tuned.trials


def test_single_precision_is_kept_away_from_whoever_wants_more_digits() -> None:
    optimizer = ComprehensivePerformanceOptimizer(max_error=1e-12, seconds=0.2)
    tuned = optimizer.optimize(entangled(12), observables=z(12))
    assert {trial.settings.precision for trial in tuned.trials} == {"double"}
    loose = ComprehensivePerformanceOptimizer(max_error=2e-7, seconds=0.4)
    for trial in loose.optimize(entangled(12), state=True).trials:
        assert trial.verdict != "kept" or trial.error <= 2e-7


def test_what_the_default_cannot_run_is_refused_as_run_refuses_it() -> None:
    with pytest.raises(skerry.BudgetExceeded):
        ComprehensivePerformanceOptimizer().optimize(entangled(20), state=True, max_memory_mb=1)
    with pytest.raises(skerry.InvalidArgument, match="seconds"):
        ComprehensivePerformanceOptimizer(seconds=float("nan"))
    with pytest.raises(skerry.InvalidArgument, match="max_error"):
        ComprehensivePerformanceOptimizer(max_error=-1.0)


def test_a_method_that_gives_other_answers_is_not_kept() -> None:
    tuned = ComprehensivePerformanceOptimizer(max_error=0.0, seconds=0.3).optimize(entangled(9), observables=z(9))
    for trial in tuned.trials:
        assert trial.error == 0 or trial.verdict == "answers differ"
