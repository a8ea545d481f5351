"""skerry bench: times with their spread."""

from __future__ import annotations

import statistics

from tests.e2e import programs
from tests.e2e.programs import BELL


def test_the_median_is_that_of_the_runs_it_lists() -> None:
    answer = programs.ok("bench", BELL, "--repeat", "7", "--shots", "10", "--json").json()
    assert len(answer["runs"]) == 7
    assert answer["median"] == statistics.median(answer["runs"])
    assert answer["min"] == min(answer["runs"])
    assert answer["max"] == max(answer["runs"])
    assert answer["predicted_seconds"] > 0
    assert answer["process_peak_bytes"] > 1_000_000


def test_people_read_one_line() -> None:
    out = programs.ok("bench", BELL, "--repeat", "3").out
    assert out.startswith("median ")
    assert "over 3 runs" in out


def test_no_runs_cannot_be_measured() -> None:
    done = programs.run("bench", BELL, "--repeat", "0")
    assert done.code == 2
    assert "--repeat" in done.err
