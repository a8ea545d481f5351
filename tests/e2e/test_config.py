"""skerry config: where each setting comes from, and what is no setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e import programs


def settings(*words: str, **how: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = programs.ok("config", *words, "--json", **how).json()["settings"]
    return found


def test_defaults_lose_to_the_file_the_file_to_the_environment_and_that_to_flags(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('seed = 1\nthreads = 1\nprecision = "single"\n')
    how = {"extra": {"SKERRY_SEED": "2", "SKERRY_THREADS": "2"}}
    found = settings("--config", str(file), "--seed", "3", **how)
    assert found["seed"] == {"value": "3", "source": "--seed"}
    assert found["threads"] == {"value": "2", "source": "SKERRY_THREADS"}
    assert found["precision"] == {"value": "single", "source": str(file)}
    assert found["method"] == {"value": "auto", "source": "default"}


def test_the_usual_file_is_read_without_being_named(home: Path) -> None:
    folder = home / ".config" / "skerry"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("seed = 11\n")
    assert settings()["seed"]["value"] == "11"


def test_sources_are_shown_to_people_too() -> None:
    out = programs.ok("config", "--sources", extra={"SKERRY_SEED": "9"}).out
    row = next(line for line in out.splitlines() if line.startswith("seed"))
    assert row.split() == ["seed", "9", "SKERRY_SEED"]


def test_settings_reach_the_run() -> None:
    counts = [
        programs.ok("run", programs.CIRCUITS / "qv_6.qasm", *words, "--json", extra=extra).json()["counts"]
        for words, extra in ((("--seed", "5"), {}), ((), {"SKERRY_SEED": "5"}), ((), {}))
    ]
    assert counts[0] == counts[1] != counts[2]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("sead = 1\n", 2, ["c.toml:1", "sead", "did you mean 'seed'?"]),
        ("\nthreads = [1]\n", 2, ["c.toml:2", "threads"]),
        ("seed = = 1\n", 3, ["c.toml:1:8"]),
        ('threads = "many"\n', 2, ["c.toml", "threads is 'many'", "whole number"]),
        ("max_memory_mb = -1\n", 2, ["c.toml", "max_memory_mb", "above 0"]),
        ('precision = "half"\n', 2, ["c.toml", "half", "use single or double"]),
        ('method = "banana"\n', 2, ["c.toml", "banana", "use auto or one of statevector"]),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path: Path, text: str, code: int, words: list[str]) -> None:
    (tmp_path / "c.toml").write_text(text)
    done = programs.run("run", programs.BELL, "--config", tmp_path / "c.toml")
    assert done.code == code
    for word in words:
        assert word in done.err


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    done = programs.run("run", programs.BELL, extra={"SKERRY_MAX_MEMORY_MB": "lots"})
    assert done.code == 2
    assert "SKERRY_MAX_MEMORY_MB" in done.err


@pytest.mark.parametrize("verb", [["run", "--input", "x=x.npy"], ["plan"], ["bench", "--repeat", "1"]])
def test_a_method_that_is_none_is_refused_for_models_too(verb: list[str]) -> None:
    done = programs.run(verb[0], programs.MODELS / "digits_cnn.onnx", *verb[1:], "--method", "banana")
    assert done.code == 2
    for word in ("--method", "banana", "use auto or one of"):
        assert word in done.err


def test_a_configuration_file_that_is_named_must_be_there() -> None:
    done = programs.run("config", "--config", "none.toml")
    assert done.code == 3
    assert "none.toml" in done.err
