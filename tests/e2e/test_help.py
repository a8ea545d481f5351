"""What skerry says of itself."""

from __future__ import annotations

import pytest

from tests.e2e import programs


def test_without_words_it_prints_its_help_and_exits_with_two() -> None:
    done = programs.run()
    assert done.code == 2
    assert done.out == ""
    assert done.err == programs.ok("--help").out


def test_help_lists_every_verb_and_the_exit_codes() -> None:
    out = programs.ok("--help").out
    for verb in programs.VERBS:
        assert f"\n  {verb} " in out
    assert "Exit codes: 0 ok, 2 usage" in out


@pytest.mark.parametrize("verb", programs.VERBS)
def test_each_verb_shows_its_options_and_an_example(verb: str) -> None:
    out = programs.ok(verb, "--help").out
    assert f"Usage: skerry {verb}" in out
    assert "--json" in out
    examples = out.split("Examples:\n")[1]
    assert f"skerry {verb}" in examples
    assert " TEXT " not in out  # the library's word for anything: an option says what it wants


def test_the_version_is_told() -> None:
    assert programs.ok("--version").out.startswith("skerry 0.")


def test_nothing_to_do_is_an_error_in_json_too() -> None:
    done = programs.run("--json")
    assert done.code == 2
    assert done.json()["error"]["code"] == "invalid_argument"
