"""The Python that the lessons and the guides show is run, page by page, from the root of the clone."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import skerry
from skerry.noise import load_noise

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
LESSONS = sorted((DOCS / "lessons").glob("[0-9][0-9]_*.md"))
# Run where its server runs: tests/e2e/test_docs.py.
ELSEWHERE = [DOCS / "server.md"]
# Libraries that are too large for the usual environment; `./dev test ecosystem` and `torch` have them.
LARGE = ["cirq", "onnx", "pennylane", "qiskit", "qiskit_aer", "sklearn", "torch"]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if blocks(page, "python") and page not in ELSEWHERE]


def is_runnable(block: str) -> bool:
    named = set(re.findall(r"^\s*(?:import|from) (.+)$", block, re.MULTILINE))
    words = {word for line in named for word in re.split(r"[\s,.]+", line)}
    return all(name not in words or importlib.util.find_spec(name) is not None for name in LARGE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_one_after_the_other(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    found = blocks(page, "python")
    if not is_runnable(found[0]):
        pytest.skip("a library of its first block is not here")
    for block in filter(is_runnable, found):
        exec(compile(block, str(page), "exec"), names)


def test_there_are_ten_lessons() -> None:
    assert [page.name[:2] for page in LESSONS] == [f"{number:02}" for number in range(1, 11)]


def test_the_json_of_the_guides_is_what_they_say_it_is(tmp_path: Path) -> None:
    (noise,) = blocks(DOCS / "noise.md", "json")
    (tmp_path / "noise.json").write_text(noise)
    assert load_noise(tmp_path / "noise.json").num_rules == 3
    (photonic,) = blocks(DOCS / "photonic.md", "json")
    assert isinstance(skerry.loads(photonic), skerry.Circuit)


def test_what_the_guides_tell_people_to_type_is_there() -> None:
    verbs = set(re.findall(r"^  (\w+)\) \w+ \"\$@\" ;;$", (ROOT / "dev").read_text(), re.MULTILINE)) | {
        "python",
        "skerry",
    }
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = [
        line.partition("#")[0].strip()
        for page in (ROOT / "README.md", *DOCS.rglob("*.md"))
        for block in blocks(page, "sh")
        for line in block.splitlines()
    ]
    assert len(lines) >= 6
    for line in lines:
        if line.startswith("pip install"):
            assert re.fullmatch(r"pip install (\.|'\.\[(\w+)\]')", line), line
            assert all(extra in extras for extra in re.findall(r"\[(\w+)\]", line)), line
        elif line.startswith("./dev"):
            assert line.split()[1] in verbs, line
            assert all((ROOT / word).exists() for word in line.split()[2:] if "/" in word), line
        else:
            assert line.startswith("skerry serve"), f"{line}: write a block of the console, which is run"
