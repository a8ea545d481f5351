"""The lessons and the demo, run as a reader would run them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LESSONS = sorted((ROOT / "examples/python").glob("lesson_*.py"))


def run(*command: str | Path) -> str:
    environment = os.environ | {"SKERRY_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS])
def test_a_lesson_runs(lesson: Path) -> None:
    assert run(lesson)


def test_the_demo_runs_plainly_on_a_pipe() -> None:
    text = run(ROOT / "examples/demo/demo.py")
    assert "\033" not in text
    assert text.count("predicted") == text.count("measured") == 5
    assert text.count("the same answers") >= 5
    assert "11111" in text
