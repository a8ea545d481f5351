#!/usr/bin/env python3
"""Runs the commands that the guides show and compares what they print.

    documents.py                    tells which outputs differ
    documents.py --accept PAGE...   writes what the programs print now into the pages; read the diff

Every ```console block is run, page by page, in an empty folder that has the clone's `examples` and `tests`. A line
`$ command` goes on in lines that begin with `> `; what follows is its output, stdout first, then stderr. `...` in a
line stands for anything, a line of nothing else for any lines. Blocks of other languages are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SKERRY_BUILD_DIR", REPOSITORY / "build" / "release"))
SECONDS = 60
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command and the output that the page shows for it."""

    command: str
    shown: str


def pages() -> list[Path]:
    """The guides that show commands."""
    candidates = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return [page for page in candidates if BLOCK.search(page.read_text())]


def steps(block: str) -> list[Step]:
    """The commands of a block with what is shown below each."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], ""))
        elif line.startswith("> ") and not found[-1].shown:
            found[-1] = Step(found[-1].command + "\n" + line[2:], "")
        else:
            assert found, f"output without a command: {line}"
            found[-1] = Step(found[-1].command, found[-1].shown + line + "\n")
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether the output is what the page shows, `...` standing for anything."""
    pattern = ""
    for line in shown.splitlines():
        pattern += r"(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
    return re.fullmatch(pattern, printed) is not None


def execute(command: str, folder: Path) -> str:
    """Runs a command as a reader of the page would."""
    programs = f"{BUILD / 'apps' / 'cli'}:{BUILD / 'apps' / 'run'}:{Path(sys.executable).parent}"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SKERRY_")}
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    variables |= {"PATH": f"{programs}:{variables['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0 or done.stderr, f"{command} failed silently with {done.returncode}"
    return done.stdout + done.stderr


def outcomes(page: Path) -> Iterator[tuple[Step, str]]:
    """Each step of a page with what it prints now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shared in ("examples", "tests"):
            (folder / shared).symlink_to(REPOSITORY / shared)
        for block in BLOCK.finditer(page.read_text()):
            for step in steps(block[1]):
                yield step, execute(step.command, folder)


def accept(page: Path) -> None:
    """Rewrites the outputs of a page that no longer match."""
    printed = iter(list(outcomes(page)))

    def rewritten(block: re.Match[str]) -> str:
        text = ""
        for step in steps(block[1]):
            _, now = next(printed)
            text += "$ " + step.command.replace("\n", "\n> ") + "\n" + (step.shown if matches(step.shown, now) else now)
        return f"```console\n{text}```"

    page.write_text(BLOCK.sub(rewritten, page.read_text()))


def main() -> int:
    named = [Path(word).resolve() for word in sys.argv[1:] if not word.startswith("--")]
    if "--accept" in sys.argv:
        for page in named or pages():
            accept(page)
        return 0
    wrong = 0
    for page in named or pages():
        for step, printed in outcomes(page):
            if not matches(step.shown, printed):
                wrong += 1
                print(f"{page.name}: $ {step.command}\n--- shown\n{step.shown}--- printed\n{printed}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
