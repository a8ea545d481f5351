"""skerry doctor: a look at the machine."""

from __future__ import annotations

from tests.e2e import programs


def test_the_machine_is_described() -> None:
    answer = programs.ok("doctor", "--json").json()
    looked_at = {finding["what"] for finding in answer["findings"]}
    assert {"version", "cpu", "instruction sets", "cpus", "threads", "gpu", "memory", "cache"} <= looked_at


def test_an_unwritable_cache_is_found_and_the_remedy_told() -> None:
    answer = programs.ok("doctor", "--json", extra={"SKERRY_CACHE_DIR": "/proc/none"}).json()
    assert answer["well"] is False
    advice = next(finding["advice"] for finding in answer["findings"] if finding["what"] == "cache")
    assert "SKERRY_CACHE_DIR" in advice


def test_more_threads_than_cpus_are_found() -> None:
    answer = programs.ok("doctor", "--json", extra={"SKERRY_NUM_THREADS": "999"}).json()
    advice = next(finding["advice"] for finding in answer["findings"] if finding["what"] == "threads")
    assert "SKERRY_NUM_THREADS" in advice


def test_libraries_that_would_fight_for_the_cpus_are_found() -> None:
    extra = {"SKERRY_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"}
    answer = programs.ok("doctor", "--json", extra=extra).json()
    advice = next(finding["advice"] for finding in answer["findings"] if finding["what"] == "threads")
    assert "OMP_NUM_THREADS" in advice


def test_rates_are_positive_numbers() -> None:
    rates = programs.ok("doctor", "--rates", "--json").json()["rates"]
    assert rates
    assert all(0 < rate < 1 for rate in rates.values())
