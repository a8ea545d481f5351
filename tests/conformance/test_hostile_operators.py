"""Every operator is asked for what it cannot give: axes without elements, inputs of another rank or none at all,
extents that no memory holds. It may refuse, or answer; it may not crash, hang or take more memory than it was allowed.

The questions are ONNX's own node cases with something changed. They are asked in child processes, which may die:

    python tests/conformance/test_hostile_operators.py [ROW...]

asks them of some rows of ops.def and tells what went wrong, one line of JSON for each row.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import skerry
from onnx import helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))  # as a program it stands in its own folder
from tests.conformance import own_cases  # noqa: E402

ROWS = re.findall(r"^SKERRY_OP\((\w+)\)", (ROOT / "src/ops/nn/ops.def").read_text(), re.MULTILINE)
Array = npt.NDArray[Any]
# What is changed, and the inputs then; None for one that is not there.
Question = tuple[str, list[Array | None]]

CASES_OF_A_ROW = 2
MAX_MEMORY_MB = 64
# What a run may leave in the process beside what it was allowed: code that is paged in, Python's own objects.
SLACK_KB = 48 * 1024
CPU_SECONDS = 10
DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft")
HUGE = (2**58, 2**63 - 1, -(2**63))


def emptied(inputs: list[Array]) -> Iterator[Question]:
    """All axes of one extent without elements, and each axis of each input by itself."""
    for extent in sorted({n for array in inputs for n in array.shape if n > 0}):
        yield (
            f"every {extent} is 0",
            [np.zeros([0 if n == extent else n for n in array.shape], array.dtype) for array in inputs],
        )
    for i, array in enumerate(inputs):
        if array.ndim == 0:
            yield f"input {i} has no elements", [*inputs[:i], np.zeros(0, array.dtype), *inputs[i + 1 :]]
        for axis in range(array.ndim):
            shape = [0 if k == axis else n for k, n in enumerate(array.shape)]
            yield f"axis {axis} of input {i} is 0", [*inputs[:i], np.zeros(shape, array.dtype), *inputs[i + 1 :]]


def of_another_rank(inputs: list[Array]) -> Iterator[Question]:
    for i, array in enumerate(inputs):
        if array.ndim > 0 and array.shape[0] > 0:
            yield f"input {i} has an axis less", [*inputs[:i], array[0], *inputs[i + 1 :]]
        if array.ndim < 8:
            yield f"input {i} has an axis more", [*inputs[:i], array[None], *inputs[i + 1 :]]


def enlarged(inputs: list[Array]) -> Iterator[Question]:
    """Whole numbers that may be extents, axes or places become as large as they can be."""
    for i, array in enumerate(inputs):
        if array.dtype not in (np.int32, np.int64) or array.ndim > 1 or not 0 < array.size <= 8:
            continue
        for value in HUGE:
            if array.dtype == np.int32 and abs(value) > 2**31:
                continue
            for at in range(array.size):
                changed = array.copy().reshape(-1)
                changed[at] = value
                yield (
                    f"element {at} of input {i} is {value}",
                    [*inputs[:i], changed.reshape(array.shape), *inputs[i + 1 :]],
                )


def left_out(inputs: list[Array]) -> Iterator[Question]:
    """An input is not there, or none from one on is."""
    for i in range(len(inputs)):
        yield f"input {i} is left out", [*inputs[:i], None, *inputs[i + 1 :]]
        yield f"there are {i} inputs", [*inputs[:i], *[None] * (len(inputs) - i)]


def model_with(
    model: onnx.ModelProto, inputs: list[Array | None], is_constant: list[bool]
) -> tuple[bytes, dict[str, Array]]:
    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph = out.graph
    given = {value.name: array for value, array in zip(model.graph.input, inputs, strict=True)}
    values = {name: array for name, array in given.items() if array is not None}
    for node in graph.node:
        names = ["" if name in given and name not in values else name for name in node.input]
        del node.input[:]
        node.input.extend(names)
    for value, constant in zip(model.graph.input, is_constant, strict=True):
        if constant and value.name in values:
            graph.initializer.append(numpy_helper.from_array(values[value.name], value.name))
    kept = [
        value.name
        for value, constant in zip(model.graph.input, is_constant, strict=True)
        if not constant and value.name in values
    ]
    del graph.input[:]
    for name in kept:
        array = values[name]
        graph.input.append(
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        )
    for value in (*graph.output, *graph.value_info):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    return out.SerializeToString(), {name: values[name] for name in kept}


def as_array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def questions(row: str) -> Iterator[tuple[str, bytes, dict[str, Array]]]:
    for case in cases_by_row().get(row, [])[:CASES_OF_A_ROW]:
        inputs = [as_array(value) for value in case.data_sets[0][0]]
        arrays = all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in inputs)
        if not inputs or not arrays or len(inputs) != len(case.model.graph.input):
            continue
        for kind in (emptied, of_another_rank, enlarged, left_out):
            for name, changed in kind(list(inputs)):
                for constants in ([False] * len(inputs), [i > 0 for i in range(len(inputs))], [True] * len(inputs)):
                    which = f"{sum(constants)} of {len(inputs)} constant"
                    yield f"{case.name}, {name}, {which}", *model_with(case.model, changed, constants)


def ask(model: bytes, feed: dict[str, Array], seconds: float | None) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        loaded = skerry.loads(model)
        assert isinstance(loaded, skerry.Model)
        loaded.session(threads=1, max_memory_mb=MAX_MEMORY_MB, max_execution_time=seconds).run(feed)
    except skerry.Error as error:
        if "internal" in type(error).__name__.lower():
            return f"internal error: {error}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return f"took {grown // 1024} MB" if grown > MAX_MEMORY_MB * 1024 + SLACK_KB else ""


@cache
def cases_by_row() -> dict[str, list[Any]]:
    from onnx.backend.test.case.node import collect_testcases

    grouped: dict[str, list[Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases divide by zero on purpose
        # What is written out tests the operators of its body.
        for case in sorted(collect_testcases(None), key=lambda case: case.name.endswith("_expanded")):
            if case.model is not None and case.model.graph.node and case.model.graph.node[0].domain in DOMAINS:
                grouped.setdefault(case.model.graph.node[0].op_type.lower(), []).append(case)
    return own_cases.cases() | grouped


def answers_of_child(row: str, first: int) -> tuple[int, str]:
    """Asks from question `first` on in a child: where it went wrong and how, or how many there are and nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        at = first
        os.close(reading)
        try:
            for at, (name, model, feed) in enumerate(questions(row)):
                if at < first:
                    continue
                os.write(writing, f"{at}\t{name}\n".encode())
                signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
                why = ask(model, feed, 0.2 if row == "loop" else None)  # it may be asked for any number of turns
                if why:
                    os.write(writing, f"{at}\t{name}: {why}\n".encode())
                    os._exit(1)
        except BaseException as error:
            os.write(writing, f"{at}\t{type(error).__name__}: {error}\n".encode())
            os._exit(2)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        told = lines.read().splitlines()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        return len(told), ""
    place, text = told[-1].split("\t", 1) if told else (str(first), "before the first question")
    return int(place), text if status > 0 else f"{text}: {signal.Signals(-status).name}"


def ask_row(row: str) -> list[str]:
    """What went wrong; ends after a few."""
    wrong: list[str] = []
    first = 0
    while len(wrong) < 5:
        at, why = answers_of_child(row, first)
        if not why:
            break
        wrong.append(why)
        first = at + 1
    return wrong


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    # A process that never computed has no threads, so it can be forked.
    done = subprocess.run([sys.executable, __file__, *ROWS], capture_output=True, text=True, check=True)
    return {row["row"]: row["wrong"] for row in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("row", ROWS)
def test_an_operator_refuses_or_answers_what_is_asked_of_it(row: str, answers: dict[str, list[str]]) -> None:
    assert answers[row] == []


# Of other domains, without a case in ONNX, or with inputs that are no arrays of numbers, which have tests of their own.
WITHOUT = {
    "castmap", "categorymapper", "concatfromsequence", "dictvectorizer", "elementwise", "labelencoder",
    "multinomial", "optional", "randomnormal", "randomnormallike", "randomuniform", "regexfullmatch", "sequenceat",
    "sequenceconstruct", "sequenceempty", "sequenceerase", "sequenceinsert", "sequencelength", "sequencemap",
    "stringconcat", "stringnormalizer", "strings", "stringsplit", "treeensembleclassifier", "treeensembleregressor",
    "zipmap",
}  # fmt: skip


def test_every_operator_on_tensors_of_numbers_is_asked_something() -> None:
    assert {row for row in ROWS if next(questions(row), None) is None} == WITHOUT


if __name__ == "__main__":
    cases_by_row()  # once, before the children that need them
    for each in sys.argv[1:] or ROWS:
        print(json.dumps({"row": each, "wrong": ask_row(each)}), flush=True)
