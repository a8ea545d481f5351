"""Every refusal says where, what and how to mend, word for word."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.errors import refusals

INVALID = refusals.HERE.parent / "data" / "circuits" / "invalid"


def invalid_circuits() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((INVALID / "manifest.json").read_text())["cases"]
    return found


@pytest.mark.parametrize("case", refusals.cases(), ids=lambda case: case.name)
def test_the_message_is_the_one_expected(case: refusals.Case) -> None:
    assert refusals.answer(case) == case.expected


@pytest.mark.parametrize("case", refusals.cases(), ids=lambda case: case.name)
def test_the_exit_code_is_one_of_the_table_and_no_crash(case: refusals.Case) -> None:
    assert case.expected.splitlines()[0] in ("exit 2", "exit 3", "exit 4", "exit 6")


@pytest.mark.parametrize("verb", ["run", "plan", "inspect", "compile"])
@pytest.mark.parametrize("case", invalid_circuits(), ids=lambda case: case["file"])
def test_an_invalid_circuit_is_refused_with_its_line_or_accepted_for_good(
    case: dict[str, Any], verb: str, tmp_path: Path
) -> None:
    words = [verb, str(INVALID / case["file"]), "--json"]
    if verb == "compile":
        words += ["-o", str(tmp_path / "x.skerry")]
    # Address space, not memory: shared libraries alone take some hundred megabytes of it.
    done = subprocess.run(
        ["bash", "-c", 'ulimit -v 400000; exec "$0" "$@"', str(refusals.PROGRAMS["skerry"]), *words],
        capture_output=True,
        text=True,
        timeout=2,
        check=False,
        env={**os.environ, "SKERRY_NUM_THREADS": "1"},
    )
    answer = json.loads(done.stdout)
    if case["expect"] == "accept":
        assert done.returncode == 0, done.stderr
        return
    if case["expect"] == "either" and done.returncode == 0:
        return
    # 6 is for what is refused to the program rather than wrong in it: a path that leads out of its folder.
    assert done.returncode == (6 if case["error_class"] == "include" and "leads out" in done.stderr else 3)
    assert answer["process_peak_bytes"] < 100_000_000
    assert answer["ok"] is False
    where = re.fullmatch(rf"{re.escape(case['file'])}:(\d+):(\d+)", answer["error"]["where"])
    assert where, answer
    if case.get("line"):
        assert int(where[1]) == case["line"]
    assert list(tmp_path.iterdir()) == []
