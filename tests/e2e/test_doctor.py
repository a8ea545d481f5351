"""skerry doctor: a look at the machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.e2e import programs


def test_the_machine_is_described() -> None:
    answer = programs.ok("doctor", "--json").json()
    looked_at = {finding["what"] for finding in answer["findings"]}
    assert {"version", "cpu", "instruction sets", "cpus", "threads", "gpu", "memory", "cache"} <= looked_at
    assert {"load", "clock", "python package"} <= looked_at


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


def finding(what: str, **extra: str) -> dict[str, str]:
    findings = programs.ok("doctor", "--json", extra=extra).json()["findings"]
    return next(found for found in findings if found["what"] == what)


VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_of_threads_that_disagrees_is_named(name: str) -> None:
    agree = {"SKERRY_NUM_THREADS": "1", **dict.fromkeys(VARIABLES, "1")}
    assert not finding("threads", **agree)["advice"]
    advice = finding("threads", **{**agree, name: "2"})["advice"]
    assert [variable for variable in VARIABLES if variable in advice] == [name]


def test_a_package_that_cannot_be_imported_is_found_with_the_remedy(tmp_path: Path) -> None:
    source, built = tmp_path / "source", tmp_path / "built"
    for folder in (source, built):
        (folder / "skerry").mkdir(parents=True)
        (folder / "skerry" / "__init__.py").touch()
    (source / "skerry" / "_core.pyi").touch()  # the stub is no module
    (built / "skerry" / "_core.cpython-311-x86_64-linux-gnu.so").touch()
    unbuilt = finding("python package", PYTHONPATH=f"{tmp_path}:{source}:{built}")
    assert str(source) in unbuilt["found"]
    assert "import skerry fails there" in unbuilt["advice"]
    good = finding("python package", PYTHONPATH=f"{built}:{source}")
    assert "_core.cpython-311" in good["found"]
    assert not good["advice"]
    assert "/no/such/folder" in finding("python package", PYTHONPATH="/no/such/folder:")["advice"]


def test_the_built_package_is_well() -> None:
    built = finding("python package", PYTHONPATH=str(programs.BUILD / "python"))
    assert not built["advice"]


def test_load_is_compared_with_the_cpus_and_memory_with_what_there_is() -> None:
    load = finding("load")
    average, cpus = re.fullmatch(r"([\d.]+) on (\d+) cpus", load["found"]).groups()  # type: ignore[union-attr]
    assert int(cpus) == len(os.sched_getaffinity(0))
    assert bool(load["advice"]) == (float(average) > int(cpus))
    assert re.fullmatch(r"\S+ \S+ free of \S+ \S+", finding("memory")["found"])
    assert finding("clock")["found"]


def test_rates_are_positive_numbers() -> None:
    rates = programs.ok("doctor", "--rates", "--json").json()["rates"]
    assert rates
    assert all(0 < rate < 1 for rate in rates.values())
