"""The reference pages: whatever can be named stands in them."""

from __future__ import annotations

import inspect
from functools import cache

import pytest
import reference
import skerry


@cache
def pages() -> dict[str, str]:
    return reference.pages()


def test_every_public_name_of_python_has_its_place() -> None:
    text = pages()["reference/python-skerry.md"]
    for name in skerry.__all__:
        thing = getattr(skerry, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert f"## `{name}`" in text, name


@pytest.mark.parametrize("module", ["qiskit", "pennylane", "cirq", "torch", "qir", "circuits", "edge", "vqe"])
def test_modules_of_libraries_that_are_not_there_are_told_of_too(module: str) -> None:
    page = pages()[f"reference/python-skerry-{module}.md"]
    assert "\n## `" in page
    assert f"python-skerry-{module}.md" in pages()["reference/python.md"]


def test_every_operator_has_a_row_with_its_opset_and_what_it_does() -> None:
    table = pages()["reference/operators.md"].splitlines()[6:]
    assert len(table) == len(reference.rows("src/ops/nn/ops.def")) + len(
        reference.rows("src/ops/hybrid/hybrid_ops.def")
    )
    cells = [[cell.strip() for cell in row.split("|")[1:4]] for row in table]
    # What is Skerry's own is in no opset.
    own = {"`circuit`", "`skerry.Elementwise`"}
    assert not [name for name, since, what in cells if not name or (not (what and since) and name not in own)]


def test_every_gate_verb_and_header_has_its_place() -> None:
    for gate in reference.rows("include/skerry/gates.def"):
        assert f"| `{gate}` |" in pages()["reference/gates.md"]
    for verb in reference.rows("apps/cli/verbs.def"):
        assert f"## `skerry {verb.replace('_', '-')}`" in pages()["reference/cli.md"]
    for header in (reference.ROOT / "include" / "skerry").glob("*.hpp"):
        assert f"`<skerry/{header.name}>`" in pages()["reference/cpp.md"]


def test_examples_in_docstrings_become_code() -> None:
    made = reference.markdown("What.\n\n>>> 1 + 1\n2\n\nMore.")
    assert made == "What.\n\n\n```pycon\n>>> 1 + 1\n2\n```\n\nMore.\n"
