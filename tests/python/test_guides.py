"""The Python that the lessons and the guides show is run, page by page, from the root of the clone."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LESSONS = sorted((DOCS / "lessons").glob("[0-9][0-9]_*.md"))
NAMED = [DOCS / name for name in ("ecosystem.md", "edge.md", "gradients.md", "state-vectors.md", "tensor-networks.md")]
PAGES = [*NAMED, *sorted((DOCS / "howto").glob("[ft]*_*.md")), *LESSONS]
# Libraries that are too large for the usual environment; `./dev test ecosystem` and `torch` have them.
LARGE = ["cirq", "pennylane", "qiskit", "qiskit_aer", "torch"]


def is_runnable(block: str) -> bool:
    return all(f"import {name}" not in block or importlib.util.find_spec(name) is not None for name in LARGE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_one_after_the_other(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)
    names: dict[str, object] = {}
    blocks = BLOCK.findall(page.read_text())
    assert blocks
    if not is_runnable(blocks[0]):
        pytest.skip("a library of its first block is not here")
    for block in filter(is_runnable, blocks):
        exec(compile(block, str(page), "exec"), names)


def test_there_are_ten_lessons() -> None:
    assert [page.name[:2] for page in LESSONS] == [f"{number:02}" for number in range(1, 11)]
