"""Every public name has a docstring, and every example in one is run."""

import doctest
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import skerry
from skerry import cpu, cv, edge, engine, errors, qir, simulator, viz, vqe

# What stands in other libraries, where they are there; Cirq and Torch are only in the larger environments.
OTHERS = [
    importlib.import_module(f"skerry.{name}")
    for name in ("cirq", "pennylane", "qiskit", "torch")
    if importlib.util.find_spec(name) is not None
]

# What a class shows without a word of its own: plain fields named by their class's docstring.
PLAIN = (property,)


def documented() -> Iterator[tuple[str, Any]]:
    yield "skerry", skerry
    yield "skerry.errors", errors
    yield "skerry.simulator", simulator
    yield "skerry.edge", edge
    for name in ("EdgeExecutionConfig", "EdgeExecutionManager", "CircuitCompiler", "EdgeExecutor", "ExecutionResult"):
        yield f"skerry.edge.{name}", getattr(edge, name)
    yield "skerry.cpu", cpu
    yield "skerry.engine", engine
    yield "skerry.cv", cv
    yield "skerry.vqe", vqe
    for module in (viz, qir, *OTHERS):
        yield module.__name__, module
    homes = (skerry, cpu, cv, engine, vqe, viz, qir, *OTHERS)
    for home, name in [(module, name) for module in homes for name in module.__all__]:
        thing = getattr(home, name)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        yield f"{home.__name__}.{name}", thing
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            if not member.startswith("_") and not isinstance(value, str):
                yield f"{home.__name__}.{name}.{member}", value


def words(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


def test_every_public_function_class_and_method_has_a_docstring() -> None:
    silent = [name for name, thing in documented() if not isinstance(thing, PLAIN) and not words(thing).strip()]
    assert silent == []


EXAMPLES = [(name, words(thing)) for name, thing in documented() if ">>>" in words(thing)]


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_examples_in_docstrings_are_right(name: str, text: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(report)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 12
