"""Scan of opset 8, which goes over the sequences of a batch, each of its own length."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
Array = NDArray[Any]


def body(factor: str | None) -> onnx.GraphProto:
    """sum' = sum + x (times a value of the outer graph); out = sum'."""
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Mul", ["next", factor], ["term"])] if factor else []
    nodes += [
        helper.make_node("Add", ["sum_in", "term" if factor else "next"], ["sum_out"]),
        helper.make_node("Identity", ["sum_out"], ["out"]),
    ]
    takes = [info("sum_in", FLOAT, [2]), info("next", FLOAT, [2])]
    return helper.make_graph(nodes, "body", takes, [info("sum_out", FLOAT, [2]), info("out", FLOAT, [2])])


def loaded(lengths: bool, factor: str | None = None, batch: Any = "B", **attributes: Any) -> skerry.Model:
    info = helper.make_tensor_value_info
    node = helper.make_node(
        "Scan",
        ["lengths" if lengths else "", "initial", "x"],
        ["final", "sums"],
        body=body(factor),
        num_scan_inputs=1,
        **attributes,
    )
    inputs = [info("initial", FLOAT, [batch, 2]), info("x", FLOAT, [batch, "T", 2])]
    inputs += [info("lengths", TensorProto.INT64, [batch])] if lengths else []
    inputs += [info(factor, FLOAT, [2])] if factor else []
    outputs = [info("final", FLOAT, None), info("sums", FLOAT, None)]
    graph = helper.make_graph([node], "scan", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=3)
    made = skerry.loads(model.SerializeToString(), "scan.onnx")
    assert isinstance(made, skerry.Model)
    return made


def by_hand(initial: Array, x: Array, lengths: Array, backwards: bool) -> tuple[Array, Array]:
    final, sums = initial.copy(), np.zeros_like(x)
    for b, length in enumerate(lengths):
        for t in range(length):
            final[b] = final[b] + x[b, length - 1 - t if backwards else t]
            sums[b, t] = final[b]
    return final, sums


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 0, 3], [1, 1, 1], [4, 4, 4]])
def test_each_sequence_of_a_batch_is_scanned_to_its_length(lengths: list[int] | None, backwards: bool) -> None:
    random = np.random.default_rng(3)
    initial = random.standard_normal((3, 2)).astype(np.float32)
    x = random.standard_normal((3, 4, 2)).astype(np.float32)
    given = {"initial": initial, "x": x}
    if lengths is not None:
        given["lengths"] = np.array(lengths)
    directions: dict[str, Any] = {"directions": [1]} if backwards else {}
    found = loaded(lengths is not None, **directions).session().run(given)
    final, sums = by_hand(initial, x, np.array(lengths or [4, 4, 4]), backwards)
    np.testing.assert_array_equal(found["final"], final)
    np.testing.assert_array_equal(found["sums"], sums)


def test_the_body_reads_what_stands_outside() -> None:
    random = np.random.default_rng(4)
    initial = np.zeros((2, 2), np.float32)
    x = random.standard_normal((2, 3, 2)).astype(np.float32)
    factor = np.array([2, -1], np.float32)
    given = {"initial": initial, "x": x, "lengths": np.array([3, 2]), "factor": factor}
    found = loaded(True, factor="factor").session().run(given)
    final, sums = by_hand(initial, x * factor, np.array([3, 2]), False)
    np.testing.assert_array_equal(found["final"], final)
    np.testing.assert_array_equal(found["sums"], sums)


def test_lengths_outside_of_the_sequence_end_at_its_ends() -> None:
    x = np.ones((2, 3, 2), np.float32)
    given = {"initial": np.zeros((2, 2), np.float32), "x": x, "lengths": np.array([-5, 99])}
    found = loaded(True).session().run(given)
    np.testing.assert_array_equal(found["final"], np.array([[0, 0], [3, 3]], np.float32))
    assert found["sums"].shape == (2, 3, 2)


def test_batches_that_differ_are_refused() -> None:
    given = {"initial": np.zeros((2, 2), np.float32), "x": np.ones((3, 3, 2), np.float32)}
    with pytest.raises(skerry.TypeMismatch, match=r"2 and of 3|different extents"):
        loaded(False, batch=None).session().run(given)
