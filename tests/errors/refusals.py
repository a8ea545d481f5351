#!/usr/bin/env python3
"""Commands that must be refused, with the whole of what they say.

    refusals.py            tells which messages have changed
    refusals.py --accept   writes what the programs say now into cases/; read the diff before it is committed

A case is a file cases/NAME.txt: the command after `$`, `exit CODE`, then stderr. It runs in a copy of files/
with digits_cnn.onnx beside them, a model with one input x: f32[N,1,8,8].
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("SKERRY_BUILD_DIR", HERE.parent.parent / "build" / "release"))
PROGRAMS = {"skerry": BUILD / "apps" / "cli" / "skerry", "skerry-run": BUILD / "apps" / "run" / "skerry-run"}
SECONDS = 10


@dataclass(frozen=True)
class Case:
    """A command and what is expected of it."""

    file: Path
    command: str
    expected: str

    @property
    def name(self) -> str:
        return self.file.stem


def cases() -> list[Case]:
    """All cases, by name."""
    found = []
    for file in sorted((HERE / "cases").glob("*.txt")):
        command, _, expected = file.read_text().partition("\n")
        assert command.startswith("$ "), file
        found.append(Case(file, command[2:], expected))
    return found


def answer(case: Case) -> str:
    """What the program does now, in the form of a case's expectation."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "files"
        shutil.copytree(HERE / "files", folder)
        shutil.copy(HERE.parent / "data" / "models" / "digits_cnn.onnx", folder)
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("SKERRY_", "OMP_", "XDG_"))}
        variables["HOME"] = str(folder)
        program, *words = shlex.split(case.command)
        before = sorted(folder.rglob("*"))
        done = subprocess.run(
            [PROGRAMS[program], *words],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        left = sorted(path for path in folder.rglob("*") if ".cache" not in path.parts)
        assert left == before, f"{case.name} left something behind"
        assert done.stdout == "", f"{case.name} wrote to stdout"
        return f"exit {done.returncode}\n{done.stderr}"


def main() -> int:
    changed = 0
    for case in cases():
        now = answer(case)
        if now == case.expected:
            continue
        changed += 1
        print(f"{case.name}\n- {case.expected.strip()}\n+ {now.strip()}")
        if "--accept" in sys.argv:
            case.file.write_text(f"$ {case.command}\n{now}")
    return 0 if changed == 0 or "--accept" in sys.argv else 1


if __name__ == "__main__":
    sys.exit(main())
