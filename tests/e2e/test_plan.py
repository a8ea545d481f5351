"""skerry plan: what a run would take, without taking it."""

from __future__ import annotations

import pytest

from tests.e2e import programs
from tests.e2e.programs import BELL, CIRCUITS

QFT28 = CIRCUITS / "qft_28.qasm"


def test_the_plan_of_a_large_circuit_costs_next_to_nothing() -> None:
    answer = programs.ok("plan", QFT28, "--max-memory-mb", "1e6", "--json").json()
    assert answer["peak_bytes"] == pytest.approx(2**28 * 16, rel=0.1)
    assert answer["fits"] is True
    assert programs.peak_bytes("plan", QFT28, "--max-memory-mb", "1e6", "--json") < 60_000_000


def test_single_precision_takes_half() -> None:
    need = [
        programs.ok("plan", QFT28, "--precision", width, "--max-memory-mb", "1e6", "--json").json()["peak_bytes"]
        for width in ("single", "double")
    ]
    assert need[0] / need[1] == pytest.approx(0.5, rel=0.05)


def test_a_plan_that_does_not_fit_says_so_and_exits_like_the_run() -> None:
    done = programs.run("plan", QFT28, "--max-memory-mb", "100", "--json")
    assert done.code == 4
    answer = done.json()
    assert answer["ok"] is answer["fits"] is False
    assert "max_memory_mb allows" in answer["refusal"]
    assert programs.run("plan", QFT28, "--max-memory-mb", "100").code == 4


def test_the_plan_and_the_run_predict_the_same() -> None:
    file = CIRCUITS / "grover_5.qasm"
    planned = programs.ok("plan", file, "--shots", "1024", "--json").json()
    ran = programs.ok("run", file, "--shots", "1024", "--json").json()
    assert ran["predicted_bytes"] == planned["peak_bytes"]
    assert ran["method"] == planned["method"]


def test_every_method_considered_is_listed_with_the_one_chosen() -> None:
    candidates = programs.ok("plan", BELL, "--json").json()["candidates"]
    assert sum(candidate["chosen"] for candidate in candidates) == 1
    assert all(candidate["chosen"] or candidate["reason"] for candidate in candidates)


def test_people_read_lines() -> None:
    out = programs.ok("plan", BELL).out
    assert "memory" in out
    assert "time" in out
    assert "statevector" in out
