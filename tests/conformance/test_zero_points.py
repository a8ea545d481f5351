"""Zero points that are fewer or more than their scales are refused, in a run too: nobody reads beside them."""

from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]
X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(1, 2, 3, 4)


def model(nodes: list[onnx.NodeProto], constants: dict[str, Array], asked: dict[str, Array]) -> skerry.Model:
    infos = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), [f"{name}{i}" for i in range(array.ndim)]
        )
        for name, array in asked.items()
    ]
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    output = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
    output.type.Clear()
    graph = helper.make_graph(nodes, "zeros", infos, [output], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    loaded = skerry.loads(made.SerializeToString())
    assert isinstance(loaded, skerry.Model)
    return loaded


def quantized_convolution() -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", ["x", "s", "z0"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z0"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["v"]),
        helper.make_node("Conv", ["d", "v"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["p"]),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]


BYTES = np.arange(6, dtype=np.uint8).reshape(2, 3)
SCALE = np.array(0.01, np.float32)
HELD: dict[str, Array] = {
    "s": SCALE,
    "z0": np.array(3, np.uint8),
    "w": np.ones((2, 2, 1, 1), np.int8),
    "b": np.ascontiguousarray(BYTES.T),
}
NODES: dict[str, tuple[list[onnx.NodeProto], dict[str, Array]]] = {
    "QuantizeLinear": ([helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])], {"x": X}),
    "DequantizeLinear": ([helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"])], {"x": BYTES}),
    "a convolution between them": (quantized_convolution(), {"x": X}),
    "QLinearMatMul": (
        [helper.make_node("QLinearMatMul", ["x", "s", "z0", "b", "s", "z0", "s", "z"], ["y"])],
        {"x": BYTES},
    ),
}


@pytest.mark.parametrize("zeros", [0, 2])
@pytest.mark.parametrize("is_constant", [True, False])
@pytest.mark.parametrize("what", NODES)
def test_as_many_zero_points_as_scales_or_a_refusal(what: str, is_constant: bool, zeros: int) -> None:
    nodes, asked = NODES[what]
    zero = {"z": np.zeros(zeros, np.uint8)}
    if what == "QLinearMatMul" and zeros == 2:
        pytest.skip("two zero points of the result are another refusal, or one for each row")
    with pytest.raises(skerry.TypeMismatch, match="zero point") as caught:
        if is_constant:
            model(nodes, HELD | zero, asked).session().run(asked)
        else:
            model(nodes, HELD, asked | zero).session().run(asked | zero)
    assert caught.value.where


@pytest.mark.parametrize("what", NODES)
def test_one_zero_point_is_taken_as_a_number_or_a_vector_of_one(what: str) -> None:
    nodes, asked = NODES[what]
    answers = []
    for zero in (np.array(5, np.uint8), np.array([5], np.uint8)):
        constant = model(nodes, HELD | {"z": zero}, asked).session().run(asked)["y"]
        given = model(nodes, HELD, asked | {"z": zero}).session().run(asked | {"z": zero})["y"]
        answers += [constant, given]
    for answer in answers:
        assert np.array_equal(answer, answers[0])
