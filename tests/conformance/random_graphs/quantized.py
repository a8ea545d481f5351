"""Layers between QuantizeLinear and DequantizeLinear, as quantised models have them.

Where a value lies close to the middle of two quanta, whoever computes it in another order may round it the other way: a
result may be away by what that can make of it, and only few of its elements may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from tests.conformance.random_graphs.grower import Array, Grower, TakenBackError, Value, computed


def rounded(g: Grower, x: Value, slack: Array) -> tuple[Value, Array]:
    """x on the levels of 8 bits, and how far it may be away."""
    spread = float(np.abs(x.array).max()) or 1.0
    unsigned = bool(x.array.min() >= 0) or g.maybe()
    quantum = np.float32(spread / g.random.uniform(90, 160))
    if unsigned:
        zero = np.array(0 if x.array.min() >= 0 else g.whole(100, 150), np.uint8)
    else:
        zero = np.array(g.one_of((0, 0, g.whole(-20, 20))), np.int8)
    given = [g.constant(np.array(quantum, np.float32)), g.constant(zero)]
    (levels,) = g.add("QuantizeLinear", [x, *given])
    g.slackened(levels, np.ones_like(x.array))
    (back,) = g.add("DequantizeLinear", [levels, *given])
    slack = slack + quantum
    return g.slackened(back, slack), slack


def weights(g: Grower, shape: tuple[int, ...], axis: int) -> tuple[Value, Array]:
    """Of 8 bits with a scale, or one for each channel along the axis; and their magnitudes."""
    levels = np.asarray(g.random.integers(-127, 128, shape), np.int8)
    each = g.maybe()
    scales = np.asarray(g.random.uniform(0.002, 0.02, shape[axis] if each else ()), np.float32)
    given = [g.constant(levels), g.constant(scales), g.constant(np.zeros(scales.shape, np.int8))]
    along: dict[str, Any] = {"axis": axis} if each else {}
    (back,) = g.add("DequantizeLinear", given, **along)
    return g.slackened(back, np.zeros(shape, np.float32)), np.abs(back.array)


def layer(g: Grower, x: Value, slack: Array) -> tuple[Value, Array]:
    op = "Conv" if x.array.ndim == 4 else g.one_of(("MatMul", "Gemm")) if x.array.ndim == 2 else "MatMul"
    attributes: dict[str, Any] = {}
    outputs = g.whole(1, 6)
    if op == "Conv":
        channels = x.array.shape[1]
        kernel = [g.whole(1, min(3, n)) for n in x.array.shape[2:]]
        attributes = {"kernel_shape": kernel, "pads": [n // 2 for n in kernel] * 2, "strides": [g.whole(1, 2)] * 2}
        if g.whole(0, 2) == 0:
            attributes["group"] = outputs = channels
        shape, axis = (outputs, 1 if "group" in attributes else channels, *kernel), 0
    elif op == "Gemm":
        attributes = {"transB": g.whole(0, 1)}
        shape = (outputs, x.array.shape[1]) if attributes["transB"] else (x.array.shape[1], outputs)
        axis = 0 if attributes["transB"] else 1
    else:
        shape, axis = (x.array.shape[-1], outputs), 1
    weight, magnitudes = weights(g, shape, axis)
    bias = [g.constant(g.array(outputs))] if op != "MatMul" and g.maybe() else []
    (y,) = g.add(op, [x, weight, *bias], **attributes)
    node = helper.make_node(op, ["x", "w"], ["y"], **attributes)
    (away,) = computed(node, {"x": slack, "w": magnitudes}, g.opset)
    y = g.slackened(y, away)
    if g.maybe():
        (y,) = g.add("Relu", [y])
        y = g.slackened(y, away)
    return y, away


def quantized_layers(g: Grower) -> None:
    if g.low:
        raise TakenBackError
    x = g.value(least_rank=2)
    if x.array.ndim > 4 or np.abs(x.array).max() < 0.01:
        raise TakenBackError
    slack = np.zeros_like(x.array)
    for _ in range(g.whole(1, 2)):
        x, slack = rounded(g, x, slack)
        x, slack = layer(g, x, slack)
    if g.maybe():
        rounded(g, x, slack)


RULES: tuple[Callable[[Grower], None], ...] = (quantized_layers, quantized_layers)
