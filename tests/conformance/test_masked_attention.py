"""Attention whose mask is put in by Where, as exporters of Hugging Face's models write it: one operator, the same
numbers, memory that does not grow with the square of the sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import skerry
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]
WIDTH, HEADS = 16, 2
LOWEST = float(np.finfo(np.float32).min)


def model_of(fill: float, hides: bool, truth: list[Any], added: bool = False) -> bytes:
    """Self-attention over x with Where(truth, ...) and, where `added`, the sum of a further mask."""
    rng = np.random.default_rng(1)
    weights = {f"w{i}": rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) for i in range(3)}
    constants = weights | {
        "split": np.array([0, 0, HEADS, WIDTH // HEADS]),
        "joined": np.array([0, 0, WIDTH]),
        "root": np.float32(np.sqrt(WIDTH // HEADS)),
        "fill": np.float32(fill),
    }
    nodes = []

    def node(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    heads = []
    for i, order in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])):
        cut = node("Reshape", [node("MatMul", ["x", f"w{i}"], f"p{i}"), "split"], f"s{i}")
        heads.append(node("Transpose", [cut], f"t{i}", perm=order))
    scores = node("Div", [node("MatMul", heads[:2], "qk"), "root"], "scaled")
    masked = node("Where", ["truth", "fill", scores] if hides else ["truth", scores, "fill"], "masked")
    if added:
        masked = node("Add", [masked, "bias"], "biased")
    mixed = node("MatMul", [node("Softmax", [masked], "shares", axis=-1), heads[2]], "mixed")
    node("Reshape", [node("Transpose", [mixed], "back", perm=[0, 2, 1, 3]), "joined"], "y")
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "S", WIDTH]),
        helper.make_tensor_value_info("truth", TensorProto.BOOL, truth),
    ]
    if added:
        inputs.append(helper.make_tensor_value_info("bias", TensorProto.FLOAT, ["N", 1, 1, "S"]))
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "S", WIDTH])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def session(model: bytes) -> skerry.Session:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return loaded.session(threads=1)


def steps(model: bytes, feed: dict[str, Array]) -> list[str]:
    return [step.op for step in session(model).plan(feed).steps]


TRUTHS: dict[str, list[Any]] = {"of keys": ["N", 1, 1, "S"], "of pairs": ["N", 1, "S", "S"], "of all": ["S", "S"]}


@pytest.mark.parametrize("fill", [-np.inf, LOWEST, -1e9, -10000.0])
@pytest.mark.parametrize("hides", [False, True], ids=["shows", "hides"])
@pytest.mark.parametrize("kind", TRUTHS)
def test_hidden_scores_are_those_of_onnx_runtime(kind: str, hides: bool, fill: float) -> None:
    rng = np.random.default_rng(2)
    extents = {"N": 2, "S": 21}
    truth = rng.random([extents[n] if isinstance(n, str) else n for n in TRUTHS[kind]]) < 0.6
    truth.reshape(-1)[:21] = False  # the first row, or sample, sees nothing
    truth ^= hides
    feed = {"x": rng.normal(size=(2, 21, WIDTH)).astype(np.float32), "truth": truth}
    model = model_of(fill, hides, TRUTHS[kind])
    assert "Attention" in steps(model, feed)
    found = session(model).run(feed)["y"]
    # Without its optimiser, which has a rule of its own for rows that see nothing.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    wanted = onnxruntime.InferenceSession(model, options).run(None, feed)[0]
    assert np.isnan(np.asarray(wanted)).any() == (fill == -np.inf)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=2e-4, atol=2e-5)


def peak_bytes(model: bytes, length: int, **more: Array) -> int:
    feed = {"x": np.zeros((1, length, WIDTH), np.float32), "truth": np.ones((1, 1, 1, length), bool), **more}
    return session(model).plan(feed).peak_bytes


def test_memory_does_not_grow_with_the_square_of_the_sequence() -> None:
    model = model_of(LOWEST, False, TRUTHS["of keys"])
    short, long = peak_bytes(model, 2048), peak_bytes(model, 8192)
    assert long < 4.5 * short
    assert long < 4 * HEADS * 8192**2 / 8  # the matrix of all scores is more than that


def test_two_masks_one_behind_the_other_are_left_as_they_are() -> None:
    model = model_of(LOWEST, False, TRUTHS["of keys"], added=True)
    feed = {
        "x": np.random.default_rng(3).normal(size=(1, 9, WIDTH)).astype(np.float32),
        "truth": np.ones((1, 1, 1, 9), bool),
        "bias": np.zeros((1, 1, 1, 9), np.float32),
    }
    assert "Softmax" in steps(model, feed)
    wanted = onnxruntime.InferenceSession(model).run(None, feed)[0]
    np.testing.assert_allclose(np.asarray(session(model).run(feed)["y"]), wanted, rtol=2e-4, atol=2e-5)
