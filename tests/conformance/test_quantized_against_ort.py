"""Operators on quantised tensors against ONNX Runtime's, bit by bit; and quantised models as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import skerry
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]


def model_of(
    op: str, inputs: Sequence[Array | None], constant: set[int], domain: str, result: int, attributes: dict[str, Any]
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    names, initializers, infos, feed = [], [], [], {}
    for i, value in enumerate(inputs):
        if value is None:
            names.append("")
            continue
        names.append(f"i{i}")
        array = np.asarray(value)
        if i in constant:
            initializers.append(numpy_helper.from_array(array, f"i{i}"))
        else:
            dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
            infos.append(helper.make_tensor_value_info(f"i{i}", dtype, array.shape))
            feed[f"i{i}"] = array
    node = helper.make_node(op, names, ["y"], domain=domain, **attributes)
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y", result, None)], initializers)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feed


def compare(
    op: str,
    inputs: list[Any],
    *,
    constant: set[int] | None = None,
    domain: str = "",
    result: int = TensorProto.UINT8,
    **attributes: Any,
) -> None:
    wanted = set(range(len(inputs))) if constant is None else constant
    model, feed = model_of(op, inputs, wanted, domain, result, attributes)
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    theirs = onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    (right,) = theirs.run(None, feed)
    loaded = skerry.loads(model.SerializeToString(), op)
    assert isinstance(loaded, skerry.Model)
    ours = loaded.session().run(feed)["y"]
    assert ours.dtype == right.dtype and ours.shape == right.shape
    differing = int(np.sum(ours != right))
    assert differing == 0, (
        f"{differing} of {right.size} differ, by up to {np.abs(ours.astype(int) - right.astype(int)).max()}"
    )


def some(rng: np.random.Generator, *shape: int, signed: bool = False) -> Array:
    values = rng.integers(0, 256, shape).astype(np.uint8)
    return values.view(np.int8) if signed else values


def scale(value: float) -> Array:
    return np.array(value, np.float32)


def zero(value: int, signed: bool = False) -> Array:
    return np.array(value, np.int8 if signed else np.uint8)


RESULT = {False: TensorProto.UINT8, True: TensorProto.INT8}
MICROSOFT = "com.microsoft"

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 5, 9, 11), (13, 5, 3, 3), {}),
    "padded_strided": ((1, 16, 15, 14), (24, 16, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "pointwise": ((1, 37, 7, 7), (30, 37, 1, 1), {}),
    "pointwise_strided": ((1, 8, 9, 9), (16, 8, 1, 1), {"strides": [2, 2]}),
    "grouped": ((1, 12, 8, 8), (18, 4, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    "depthwise": ((2, 10, 12, 13), (10, 1, 3, 3), {"group": 10, "pads": [1, 1, 1, 1]}),
    "depthwise_strided": ((1, 10, 12, 13), (10, 1, 5, 5), {"group": 10, "pads": [2, 2, 2, 2], "strides": [2, 2]}),
    "dilated": ((1, 6, 12, 12), (8, 6, 3, 3), {"dilations": [2, 2]}),
    "one_axis": ((2, 6, 40), (8, 6, 5), {"pads": [2, 2]}),
    "large": ((1, 64, 20, 20), (70, 64, 3, 3), {"pads": [1, 1, 1, 1]}),
}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_quantised_convolution_is_the_same_to_the_bit(case: str, per_channel: bool, signed: bool) -> None:
    x_shape, w_shape, attributes = CONVOLUTIONS[case]
    rng = np.random.default_rng(len(case))
    depth = int(np.prod(w_shape[1:]))
    outputs = w_shape[0]
    w_scale = rng.uniform(0.002, 0.01, outputs).astype(np.float32) if per_channel else scale(0.006)
    w_zero = np.zeros(outputs, np.int8) if per_channel else zero(0, signed=True)
    inputs = [
        some(rng, *x_shape, signed=signed),
        scale(0.021),
        zero(-7 if signed else 119, signed),
        some(rng, *w_shape, signed=True),
        w_scale,
        w_zero,
        scale(0.02 * np.sqrt(depth) * 0.3),
        zero(-3 if signed else 131, signed),
        rng.integers(-9000, 9000, outputs).astype(np.int32),
    ]
    compare("QLinearConv", inputs, constant=set(range(1, 9)), result=RESULT[signed], **attributes)


def test_a_convolution_with_unsigned_weights_has_their_zero_point() -> None:
    rng = np.random.default_rng(4)
    inputs = [
        some(rng, 1, 9, 8, 8),
        scale(0.02),
        zero(100),
        some(rng, 12, 9, 3, 3),
        scale(0.004),
        zero(121),
        scale(0.1),
        zero(128),
    ]
    compare("QLinearConv", inputs, constant=set(range(1, 8)))
    compare("QLinearConv", inputs, constant=set())
    compare("ConvInteger", [inputs[0], inputs[3], zero(100), zero(121)], constant={1, 2, 3}, result=TensorProto.INT32)
    compare("ConvInteger", [inputs[0], inputs[3], zero(100), zero(121)], constant=set(), result=TensorProto.INT32)


PRODUCTS = [((7, 33), (33, 19)), ((1, 128), (128, 70)), ((3, 5, 64), (64, 48)), ((2, 4, 9, 16), (2, 4, 16, 11))]


@pytest.mark.parametrize("signs", [(False, True), (False, False), (True, True)])
@pytest.mark.parametrize("shapes", PRODUCTS)
def test_quantised_products_are_the_same_to_the_bit(
    shapes: tuple[tuple[int, ...], tuple[int, ...]], signs: tuple[bool, bool]
) -> None:
    rng = np.random.default_rng(5)
    a, b = some(rng, *shapes[0], signed=signs[0]), some(rng, *shapes[1], signed=signs[1])
    a_zero, b_zero = zero(9, signs[0]), zero(0 if signs[1] else 77, signs[1])
    result = RESULT[signs[0]]
    last = [scale(0.9), zero(12, signs[0])]
    for constant in (set(range(1, 8)), set()):
        compare(
            "QLinearMatMul",
            [a, scale(0.03), a_zero, b, scale(0.02), b_zero, *last],
            constant=constant,
            result=result,
        )
    for constant in ({1, 2, 3}, set()):
        compare("MatMulInteger", [a, b, a_zero, b_zero], constant=constant, result=TensorProto.INT32)
    if signs[1] and len(shapes[1]) == 2:
        scales = rng.uniform(0.01, 0.03, shapes[1][-1]).astype(np.float32)
        zeros = np.zeros(shapes[1][-1], np.int8)
        compare(
            "QLinearMatMul",
            [a, scale(0.03), a_zero, b, scales, zeros, *last],
            constant=set(range(1, 8)),
            result=result,
        )


@pytest.mark.parametrize("trans_b", [0, 1])
def test_qgemm_adds_its_bias_and_may_stay_real(trans_b: int) -> None:
    rng = np.random.default_rng(6)
    b = some(rng, 21, 40, signed=True) if trans_b else some(rng, 40, 21, signed=True)
    inputs = [some(rng, 6, 40), scale(0.02), zero(120), b, scale(0.01), zero(0, True)]
    bias = rng.integers(-5000, 5000, 21).astype(np.int32)
    compare("QGemm", [*inputs, bias, scale(0.3), zero(99)], constant=set(range(1, 9)), domain=MICROSOFT, transB=trans_b)
    model, feed = model_of(
        "QGemm", [*inputs, bias], set(range(1, 7)), MICROSOFT, TensorProto.FLOAT, {"transB": trans_b}
    )
    theirs = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    loaded = skerry.loads(model.SerializeToString(), "QGemm")
    assert isinstance(loaded, skerry.Model)
    np.testing.assert_allclose(loaded.session().run(feed)["y"], theirs.run(None, feed)[0], rtol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("per_column", [False, True])
def test_a_scaled_integer_product_is_that_of_onnx_runtime(per_column: bool, signed: bool) -> None:
    rng = np.random.default_rng(11)
    b_scale = rng.uniform(0.002, 0.01, 19).astype(np.float32) if per_column else np.array([0.01], np.float32)
    b_zero = rng.integers(0, 5, 19 if per_column else 1).astype(np.int8 if signed else np.uint8)
    inputs = [some(rng, 3, 7, 33), some(rng, 33, 19, signed=signed), scale(0.02), b_scale, zero(120), b_zero]
    bias = rng.normal(size=19).astype(np.float32)
    for given in [inputs, [*inputs, bias]]:
        model, feed = model_of(
            "MatMulIntegerToFloat", given, {1, 3, 5, 6} & set(range(len(given))), MICROSOFT, TensorProto.FLOAT, {}
        )
        theirs = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        loaded = skerry.loads(model.SerializeToString(), "MatMulIntegerToFloat")
        assert isinstance(loaded, skerry.Model)
        np.testing.assert_allclose(loaded.session().run(feed)["y"], theirs.run(None, feed)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_sums_and_products_of_quantised_elements_are_the_same_to_the_bit(op: str, signed: bool) -> None:
    rng = np.random.default_rng(7)
    for shapes in [((3, 40, 7), (3, 40, 7)), ((4, 33), (33,)), ((5, 6), (1,)), ((1,), (5, 6))]:
        a_scale, b_scale, y_scale = rng.uniform(0.01, 0.05, 3)
        inputs = [
            some(rng, *shapes[0], signed=signed),
            scale(a_scale),
            zero(5, signed),
            some(rng, *shapes[1], signed=signed),
            scale(b_scale),
            zero(17, signed),
            scale(y_scale if op == "QLinearAdd" else 0.2),
            zero(-4 if signed else 90, signed),
        ]
        compare(op, inputs, constant={1, 2, 4, 5, 6, 7}, domain=MICROSOFT, result=RESULT[signed])


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("op", ["QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool", "QLinearAveragePool"])
def test_functions_of_one_quantised_tensor_are_the_same_to_the_bit(op: str, signed: bool) -> None:
    rng = np.random.default_rng(8)
    attributes: dict[str, Any] = {}
    if op == "QLinearLeakyRelu":
        attributes = {"alpha": 0.1}
    if op == "QLinearAveragePool":
        attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    of_y = (1 / 256, 0) if op == "QLinearSigmoid" else (0.011, 3)
    inputs = [
        some(rng, 2, 6, 13, 11, signed=signed),
        scale(0.023),
        zero(-11 if signed else 117, signed),
        scale(of_y[0]),
        zero(of_y[1] - (128 if signed and op == "QLinearSigmoid" else 0), signed),
    ]
    compare(op, inputs, constant={1, 2, 3, 4}, domain=MICROSOFT, result=RESULT[signed], **attributes)


@pytest.mark.parametrize("signed", [False, True])
def test_a_quantised_softmax_is_the_same_to_the_bit(signed: bool) -> None:
    rng = np.random.default_rng(9)
    inputs = [
        some(rng, 4, 3, 37, signed=signed),
        scale(0.05),
        zero(3, signed),
        scale(1 / 256),
        zero(-128 if signed else 0, signed),
    ]
    compare(
        "QLinearSoftmax",
        inputs,
        constant={1, 2, 3, 4},
        domain=MICROSOFT,
        result=RESULT[signed],
        axis=-1,
        opset=13,
    )


def test_parts_of_other_scales_are_put_together() -> None:
    rng = np.random.default_rng(10)
    inputs: list[Any] = [scale(0.02), zero(100)]
    for extent, (factor, offset) in zip((3, 5, 2), ((0.02, 100), (0.03, 90), (0.007, 128)), strict=True):
        inputs += [some(rng, 2, extent, 6), scale(factor), zero(offset)]
    compare("QLinearConcat", inputs, constant={0, 1, 3, 4, 6, 7, 9, 10}, domain=MICROSOFT, axis=1)


# Channels in, channels out, side, kernel, stride: odd ones, and seven pixels wide as the last layers of networks are.
RESIDUALS = {
    "odd": (5, 13, 9, 3, 1),
    "one": (1, 1, 4, 1, 1),
    "seven": (32, 48, 7, 3, 1),
    "strided": (9, 33, 15, 3, 2),
    "pointwise": (64, 96, 14, 1, 1),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("case", RESIDUALS)
def test_a_residual_is_added_to_a_quantised_convolution_to_the_bit(
    case: str, left: bool, signed: bool, threads: int
) -> None:
    channels, outputs, side, kernel, stride = RESIDUALS[case]
    rng = np.random.default_rng(12 + len(case))
    out = (side - 1) // stride + 1
    constants = {
        "xs": scale(0.021),
        "xz": zero(-7 if signed else 119, signed),
        "w": some(rng, outputs, channels, kernel, kernel, signed=True),
        "ws": rng.uniform(0.002, 0.01, outputs).astype(np.float32),
        "wz": np.zeros(outputs, np.int8),
        "cs": scale(0.006 * np.sqrt(channels) * kernel),
        "cz": zero(-3 if signed else 131, signed),
        "bias": rng.integers(-9000, 9000, outputs).astype(np.int32),
        "rs": scale(0.023),
        "rz": zero(11 if signed else 90, signed),
        "ss": scale(0.031),
        "sz": zero(-128 if signed else 0, signed),
    }
    sides = [["c", "cs", "cz"], ["r", "rs", "rz"]]
    first, second = sides[::-1] if left else sides
    nodes = [
        helper.make_node(
            "QLinearConv",
            ["x", "xs", "xz", "w", "ws", "wz", "cs", "cz", "bias"],
            ["c"],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
        ),
        helper.make_node("QLinearAdd", [*first, *second, "ss", "sz"], ["y"], domain=MICROSOFT),
    ]
    feed = {
        "x": some(rng, 2, channels, side, side, signed=signed),
        "r": some(rng, 2, outputs, out, out, signed=signed),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, RESULT[signed], value.shape) for name, value in feed.items()],
        [helper.make_tensor_value_info("y", RESULT[signed], None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    (right,) = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feed)
    loaded = skerry.loads(model, "residual")
    assert isinstance(loaded, skerry.Model)
    session = loaded.session(threads=threads)
    assert [step.op for step in session.profile(feed) if step.op.endswith("QLinearAdd")] == []
    np.testing.assert_array_equal(session.run(feed)["y"], right)
