"""Axes, shapes, sizes and limits that are inputs of the graph, not constants: known only when it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

RANDOM = np.random.default_rng(6)
X = RANDOM.random((2, 3, 4)).astype(np.float32)
SIGNAL = RANDOM.random((1, 8, 1)).astype(np.float32)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def int_of(value: int) -> NDArray[np.int64]:
    return np.array(value, np.int64)


def real_of(value: float) -> NDArray[np.float32]:
    return np.array(value, np.float32)


CASES: list[tuple[str, list[NDArray[Any] | None], dict[str, Any]]] = [
    ("ReduceMean", [X, ints(0, 1, 2)], {"keepdims": 0}),
    ("ReduceMean", [X, ints(2, -3, 1)], {"keepdims": 1}),
    ("ReduceMean", [real_of(2.5), ints()], {}),
    ("ReduceMean", [real_of(2.5), ints()], {"keepdims": 0, "noop_with_empty_axes": 1}),
    ("ReduceSum", [X, ints()], {"noop_with_empty_axes": 1}),
    ("ReduceSum", [X, ints()], {"keepdims": 0}),
    ("ReduceL1", [X, ints(0, 2, 1)], {"keepdims": 0}),
    ("ReduceL2", [X, ints(1, -1)], {"keepdims": 0}),
    ("ReduceMax", [X, ints(1)], {"keepdims": 1}),
    ("ReduceSumSquare", [X[0, 0], ints(0)], {"keepdims": 0}),
    ("CumSum", [X, int_of(1)], {}),
    ("Trilu", [X, int_of(1)], {}),
    ("TopK", [X, ints(2)], {"outputs": 2}),
    ("Pad", [X, ints(0, 1, 0, 0, 0, 1)], {}),
    ("Pad", [X, ints(1, 1), real_of(3.0), ints(1)], {}),
    ("Slice", [X, ints(1), ints(3), ints(1), ints(1)], {}),
    ("Tile", [X, ints(1, 2, 1)], {}),
    ("Expand", [X, ints(2, 2, 3, 4)], {}),
    ("Reshape", [X, ints(4, -1)], {}),
    ("Unsqueeze", [X, ints(0)], {}),
    ("Squeeze", [X[:1], ints(0)], {}),
    ("Split", [X, ints(1, 2)], {"axis": 1, "outputs": 2}),
    ("ConstantOfShape", [ints(2, 3)], {}),
    ("Range", [int_of(1), int_of(7), int_of(2)], {}),
    ("OneHot", [ints(1, 0), int_of(3), np.array([0, 1], np.float32)], {}),
    ("Clip", [X, real_of(0.2), real_of(0.5)], {}),
    ("Resize", [X[None], None, np.array([1, 1, 2, 2], np.float32)], {}),
    ("Resize", [X[None], None, None, ints(1, 2, 5, 6)], {}),
    ("DFT", [SIGNAL, None, int_of(1)], {}),
    ("DFT", [SIGNAL, int_of(6)], {}),
    ("CenterCropPad", [X, ints(2, 5, 4)], {}),
    ("STFT", [RANDOM.random((1, 32, 1)).astype(np.float32), int_of(8), None, int_of(16)], {}),
    ("Col2Im", [RANDOM.random((1, 4, 9)).astype(np.float32), ints(4, 4), ints(2, 2)], {}),
    ("AffineGrid", [RANDOM.random((1, 2, 3)).astype(np.float32), ints(1, 1, 3, 4)], {}),
    ("ReverseSequence", [X, ints(1, 2, 2)], {"batch_axis": 1, "time_axis": 0}),
    ("QuantizeLinear", [X, real_of(0.1), np.array(3, np.uint8)], {}),
]


@pytest.mark.parametrize(("operator", "inputs", "attributes"), CASES)
def test_an_operator_takes_its_parameters_when_the_graph_runs(
    operator: str, inputs: list[NDArray[Any] | None], attributes: dict[str, Any]
) -> None:
    rest = dict(attributes)
    outputs = [f"y{i}" for i in range(rest.pop("outputs", 1))]
    names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
    feed = {name: value for name, value in zip(names, inputs, strict=True) if value is not None}
    graph = helper.make_graph(
        [helper.make_node(operator, names, outputs, **rest)],
        "computed",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in feed.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    expected = ReferenceEvaluator(model).run(None, feed)
    loaded = skerry.loads(model.SerializeToString(), "computed")
    assert isinstance(loaded, skerry.Model)
    found = loaded.session().run(feed)
    for name, value in zip(outputs, expected, strict=True):
        assert found[name].shape == np.shape(value)
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)
