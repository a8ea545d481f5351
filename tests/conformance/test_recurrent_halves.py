"""LSTM, GRU and RNN of f16 and bf16: computed as f32, rounded where they are stored. And inputs that do not fit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
import skerry
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = np.ndarray[Any, Any]
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
STEPS, BATCH, INPUTS, HIDDEN = 70, 3, 5, 7


def operands(op: str, directions: int = 1, layout: int = 0, seed: int = 1) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    wide = GATES[op] * HIDDEN
    state = (BATCH, directions, HIDDEN) if layout else (directions, BATCH, HIDDEN)
    shapes = {
        "x": (BATCH, STEPS, INPUTS) if layout else (STEPS, BATCH, INPUTS),
        "w": (directions, wide, INPUTS),
        "r": (directions, wide, HIDDEN),
        "b": (directions, 2 * wide),
        "h": state,
    }
    out = {name: rng.normal(scale=0.4, size=shape) for name, shape in shapes.items()}
    out["lengths"] = np.array([STEPS, 9, 0], np.int32)
    if op == "LSTM":
        out |= {"c": rng.normal(size=state), "p": rng.normal(scale=0.3, size=(directions, 3 * HIDDEN))}
    return out


ORDER = ("x", "w", "r", "b", "lengths", "h", "c", "p")


def model_of(op: str, given: dict[str, Array], constant: set[str], **attributes: Any) -> bytes:
    names = [name if name in given else "" for name in ORDER]
    while not names[-1]:
        names.pop()
    outputs = ["y", "yh", "yc"][: 3 if op == "LSTM" else 2]
    kind = helper.np_dtype_to_tensor_dtype(given["x"].dtype)
    graph = helper.make_graph(
        [helper.make_node(op, names, outputs, name="layer", hidden_size=given["r"].shape[2], **attributes)],
        "g",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in given.items()
            if name not in constant
        ],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(given[name], name) for name in given if name in constant],
    )
    opsets = [helper.make_opsetid("", 22)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def session(model: bytes) -> skerry.Session:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return loaded.session()


def run(op: str, given: dict[str, Array], constant: set[str], **attributes: Any) -> list[Array]:
    feed = {name: array for name, array in given.items() if name not in constant}
    found = session(model_of(op, given, constant, **attributes)).run(feed)
    return [np.asarray(array) for array in found.values()]


def as_dtype(given: dict[str, Array], dtype: Any) -> dict[str, Array]:
    return {name: array if name == "lengths" else array.astype(dtype) for name, array in given.items()}


CASES: dict[str, tuple[set[str], dict[str, Any]]] = {
    "plain": ({"x", "w", "r"}, {}),
    "with a bias and states": ({"x", "w", "r", "b", "h", "c"}, {}),
    "backwards": ({"x", "w", "r", "b"}, {"direction": "reverse"}),
    "both ways": ({"x", "w", "r", "b", "h", "c"}, {"direction": "bidirectional"}),
    "batch first": ({"x", "w", "r", "b", "h", "c"}, {"layout": 1}),
    "with lengths and peepholes": ({"x", "w", "r", "b", "lengths", "h", "c", "p"}, {}),
    "clipped": ({"x", "w", "r", "b"}, {"clip": 0.7}),
}


@pytest.mark.parametrize("constant", [{"w", "r", "b"}, set()], ids=["weights known", "weights given"])
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("op", GATES)
def test_a_layer_of_halves_is_that_of_floats_rounded(op: str, case: str, dtype: Any, constant: set[str]) -> None:
    wanted, attributes = CASES[case]
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    all_given = operands(op, directions, attributes.get("layout", 0))
    halves = as_dtype({name: all_given[name] for name in ORDER if name in wanted and name in all_given}, dtype)
    found = run(op, halves, constant & set(halves), **attributes)
    floats = run(op, as_dtype(halves, np.float32), constant & set(halves), **attributes)
    assert len(found) == len(floats)
    for mine, theirs in zip(found, floats, strict=True):
        assert mine.dtype == dtype
        np.testing.assert_array_equal(mine.astype(np.float32), theirs.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("op", GATES)
def test_a_layer_of_halves_is_near_the_reference(op: str, dtype: Any) -> None:
    all_given = operands(op)
    halves = as_dtype({name: all_given[name] for name in ("x", "w", "r", "b", "h", "c") if name in all_given}, dtype)
    found = run(op, halves, {"w", "r", "b"})
    wide = as_dtype(halves, np.float64)
    model = onnx.load_from_string(model_of(op, wide, set()))
    wanted = ReferenceEvaluator(model).run(None, wide)
    unit = 2.0**-11 if dtype == np.float16 else 2.0**-8
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine.astype(np.float64), theirs, rtol=1.01 * unit, atol=1e-4)


def test_what_a_layer_of_halves_takes_is_told() -> None:
    rng = np.random.default_rng(3)
    hidden, steps = 64, 4000
    given = {
        "x": rng.normal(size=(steps, 1, 256)).astype(np.float16),
        "w": rng.normal(size=(1, 4 * hidden, 256)).astype(np.float16),
        "r": rng.normal(size=(1, 4 * hidden, hidden)).astype(np.float16),
    }
    plan = session(model_of("LSTM", given, {"w", "r"})).plan({"x": given["x"]})
    x, y = steps * 256, steps * hidden
    assert plan.peak_bytes >= 4 * (x + y) + 2 * y + 4 * 4 * hidden * (256 + hidden)  # as f32, the result, the weights


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("b", (1, 2 * 4 * HIDDEN - 1)), ("b", (2, 2 * 4 * HIDDEN)), ("b", (8 * HIDDEN,)), ("b", (1, 0)),
        ("h", (1, BATCH, HIDDEN + 1)), ("h", (1, BATCH - 1, HIDDEN)), ("h", (BATCH, HIDDEN)), ("c", (1, 0, HIDDEN)),
        ("p", (1, 2 * HIDDEN)), ("p", (3 * HIDDEN,)), ("lengths", (BATCH - 1,)), ("lengths", (BATCH, 1)),
        ("lengths", ()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_optional_inputs_of_other_extents_are_refused(name: str, shape: tuple[int, ...], dtype: Any) -> None:
    given = as_dtype(operands("LSTM"), dtype)
    given[name] = np.ones(shape, given[name].dtype)
    for constant in (set[str](), {name}):
        with pytest.raises(skerry.TypeMismatch, match=f"input {ORDER.index(name)}"):
            run("LSTM", given, constant)


def test_optional_inputs_of_another_dtype_are_refused() -> None:
    for name in ("b", "h", "c", "p"):
        given = as_dtype(operands("LSTM"), np.float32)
        given[name] = given[name].astype(np.float64)
        with pytest.raises(skerry.TypeMismatch, match=f"input {ORDER.index(name)}"):
            run("LSTM", given, set())


def test_a_length_is_held_within_the_steps() -> None:
    given = as_dtype({name: array for name, array in operands("GRU").items() if name != "h"}, np.float16)
    whole = run("GRU", given | {"lengths": np.array([STEPS] * 3, np.int32)}, set())
    far = run("GRU", given | {"lengths": np.array([2**31 - 1] * 3, np.int32)}, set())
    for mine, theirs in zip(far, whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)
