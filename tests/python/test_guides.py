"""The Python that the guides show is run, page by page."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [DOCS / name for name in ("ecosystem.md", "edge.md", "gradients.md", "state-vectors.md")]
# Libraries that are too large for the usual environment; `./dev test ecosystem` has them.
LARGE = ["cirq"]


def is_runnable(block: str) -> bool:
    return all(f"import {name}" not in block or importlib.util.find_spec(name) is not None for name in LARGE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_one_after_the_other(page: Path) -> None:
    names: dict[str, object] = {}
    blocks = list(filter(is_runnable, BLOCK.findall(page.read_text())))
    assert blocks
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
