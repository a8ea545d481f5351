"""The Python blocks of the guides run, each page's in order and in one namespace."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDES = ["ecosystem"]
# Libraries that are too large for the usual environment; `./dev test ecosystem` has them.
LARGE = ["cirq"]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_blocks_of_a_guide_run(guide: str, root: Path) -> None:
    namespace: dict[str, Any] = {}
    ran = 0
    for block in BLOCK.findall((root / "docs" / f"{guide}.md").read_text()):
        if any(f"import {name}" in block and importlib.util.find_spec(name) is None for name in LARGE):
            continue
        exec(compile(block, f"{guide}.md", "exec"), namespace)
        ran += 1
    assert ran >= 4
