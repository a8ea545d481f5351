"""Where the data lies, and the oracles beside this file importable."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def root() -> Path:
    return HERE.parent.parent


@pytest.fixture(scope="session")
def circuits(root: Path) -> Path:
    return root / "tests/data/circuits"


@pytest.fixture(scope="session")
def models(root: Path) -> Path:
    return root / "tests/data/models"


@pytest.fixture(scope="session")
def programs(root: Path) -> Path:
    """Where the programs were built."""
    return Path(os.environ.get("SKERRY_BUILD_DIR", root / "build/release"))
