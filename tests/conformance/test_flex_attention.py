"""FlexAttention of ONNX's preview domain, which is written out when a model is read, against ONNX's reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

Arrays = dict[str, NDArray[Any]]
TOLERANCE = {np.dtype(np.float16): 2e-3, np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


def modifier(name: str, op: str, other: str, dtype: int, constant: float | None) -> onnx.GraphProto:
    """out = in op other; `other` is a constant of the graph itself, or read from outside."""
    info = helper.make_tensor_value_info
    extents = ["B", "H", "L", "S"]
    held = [] if constant is None else [helper.make_tensor(other, dtype, [], [constant])]
    return helper.make_graph(
        [helper.make_node(op, ["in", other], ["out"])],
        name,
        [info("in", dtype, extents)],
        [info("out", dtype, extents)],
        held,
    )


def model_of(inputs: Arrays, before: list[onnx.NodeProto] | None = None, **attributes: Any) -> onnx.ModelProto:
    takes = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim)
        for name, array in inputs.items()
    ]
    dtype = helper.np_dtype_to_tensor_dtype(inputs["q"].dtype)
    names = ["q2" if before else "q", "k", "v"]
    node = helper.make_node("FlexAttention", names, ["y"], domain="ai.onnx.preview", name="flex", **attributes)
    graph = helper.make_graph(
        [*(before or []), node], "flex", takes, [helper.make_tensor_value_info("y", dtype, [None] * 4)]
    )
    opsets = [helper.make_opsetid("", 24), helper.make_opsetid("ai.onnx.preview", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def queries(dtype: Any = np.float32, heads: int = 4, kv_heads: int = 4) -> Arrays:
    random = np.random.default_rng(6)
    shapes = {"q": (2, heads, 5, 8), "k": (2, kv_heads, 7, 8), "v": (2, kv_heads, 7, 3)}
    return {name: random.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def session_of(model: onnx.ModelProto) -> skerry.Session:
    made = skerry.loads(model.SerializeToString(), "flex.onnx")
    assert isinstance(made, skerry.Model)
    return made.session()


def check(model: onnx.ModelProto, inputs: Arrays) -> None:
    found = session_of(model).run(inputs)["y"]
    expected = np.asarray(ReferenceEvaluator(model).run(None, inputs)[0])
    assert found.dtype == expected.dtype
    tolerance = TOLERANCE[found.dtype]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_it_is_the_reference(dtype: Any, kv_heads: int, scale: float | None) -> None:
    inputs = queries(dtype, 4, kv_heads)
    attributes: dict[str, Any] = {} if scale is None else {"scale": scale}
    check(model_of(inputs, **attributes), inputs)


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_scores_and_probabilities_are_modified_between(kv_heads: int) -> None:
    inputs = queries(np.float32, 4, kv_heads)
    score = modifier("score", "Mul", "factor", TensorProto.FLOAT, 1.7)
    prob = modifier("prob", "Sub", "shift", TensorProto.FLOAT, 0.25)
    check(model_of(inputs, score_mod=score, prob_mod=prob), inputs)


def test_a_modifier_reads_what_stands_outside() -> None:
    inputs = queries() | {"bias": np.random.default_rng(1).standard_normal((1, 4, 5, 7)).astype(np.float32)}
    score = modifier("score", "Add", "bias", TensorProto.FLOAT, None)
    found = session_of(model_of(inputs, score_mod=score)).run(inputs)["y"]
    scores = np.einsum("bhle,bhse->bhls", inputs["q"], inputs["k"]) / np.sqrt(8) + inputs["bias"]
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = np.einsum("bhls,bhsd->bhld", weights / weights.sum(-1, keepdims=True), inputs["v"])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_doubles_stay_doubles_where_the_queries_are_computed() -> None:
    inputs = queries(np.float64)
    check(model_of(inputs, [helper.make_node("Neg", ["q"], ["q2"])]), inputs)


@pytest.mark.parametrize("precision", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_the_softmax_has_the_precision_that_it_is_told(precision: int) -> None:
    inputs = queries(np.float16)
    check(model_of(inputs, softmax_precision=precision), inputs)


def test_two_in_a_row_have_names_of_their_own() -> None:
    inputs = queries() | {"v": np.random.default_rng(2).standard_normal((2, 4, 7, 8)).astype(np.float32)}
    first = helper.make_node("FlexAttention", ["q", "k", "v"], ["q2"], domain="ai.onnx.preview", name="flex")
    check(model_of(inputs, [first]), inputs)


def test_a_modifier_of_two_inputs_is_refused() -> None:
    info = helper.make_tensor_value_info
    two = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])],
        "two",
        [info("a", TensorProto.FLOAT, None), info("b", TensorProto.FLOAT, None)],
        [info("c", TensorProto.FLOAT, None)],
    )
    with pytest.raises(skerry.TypeMismatch, match="flex: score_mod must take one tensor and give one"):
        session_of(model_of(queries(), score_mod=two))


def test_heads_that_do_not_share_are_refused() -> None:
    inputs = queries(np.float32, 4, 3)
    with pytest.raises(skerry.Error, match="flex"):
        session_of(model_of(inputs)).run(inputs)
