"""What a node may be: functions of elements, shapes, reductions, products, convolutions. Each rule adds one node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from tests.conformance.random_graphs.grower import Grower, TakenBackError, Value


def unary(g: Grower) -> None:
    smooth = (
        "Sigmoid",
        "Tanh",
        "Exp",
        "Erf",
        "Softplus",
        "Softsign",
        "HardSigmoid",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Gelu",
    )
    more = ("HardSwish", "Mish", "Celu", "ThresholdedRelu", "Sin", "Cos", "Atan")
    exact = ("Abs", "Neg", "Relu", "Identity")
    if g.maybe():
        g.add(g.one_of(exact), [g.value()], exact=True)
    else:
        op = g.one_of(smooth + more)
        g.add(op, [g.value(exact=op == "ThresholdedRelu")])


def steps(g: Grower) -> None:
    g.add(g.one_of(("Floor", "Ceil", "Round", "Sign")), [g.value(exact=True)], exact=True)


def binary(g: Grower) -> None:
    op = g.one_of(("Add", "Sub", "Mul", "Div", "Max", "Min"))
    a = g.value(g.one_of("fffi"))
    b = g.like(a)
    if op == "Div" and (a.array.dtype.kind == "i" or (b.array.size and np.abs(b.array).min() < 0.1)):
        raise TakenBackError
    g.add(op, [a, b] if op == "Div" or g.maybe() else [b, a], exact=True)


def compared(g: Grower) -> None:
    a = g.value(g.one_of("fi"), exact=True)
    b = g.like(a)
    if b.exact:
        g.add(g.one_of(("Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual")), [a, b], exact=True)


def logic(g: Grower) -> None:
    a = g.value("b")
    if g.maybe():
        g.add("Not", [a], exact=True)
    else:
        g.add(g.one_of(("And", "Or", "Xor")), [a, g.like(a)], exact=True)


def where(g: Grower) -> None:
    x = g.value()
    shape = [n if g.maybe() else 1 for n in x.array.shape]
    g.add("Where", [g.constant(g.array(shape, "b")), x, g.like(x)], exact=True)


def cast(g: Grower) -> None:
    kind, to = g.one_of((("i", TensorProto.FLOAT), ("b", TensorProto.FLOAT), ("b", TensorProto.INT64)))
    g.add("Cast", [g.value(kind)], exact=True, to=to)


def reduced(g: Grower) -> None:
    x = g.value(least_rank=1)
    op = g.one_of(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"))
    axes = [axis for axis in range(x.array.ndim) if g.maybe()] or [-1]
    given = [g.integers(*axes)] if g.opset >= 18 or op == "ReduceSum" else []
    attributes: dict[str, Any] = {} if given else {"axes": axes}
    g.add(op, [x, *given], exact=op in ("ReduceMax", "ReduceMin"), keepdims=g.whole(0, 1), **attributes)


def arg_extreme(g: Grower) -> None:
    x = g.value(least_rank=1, exact=True)
    g.add(g.one_of(("ArgMax", "ArgMin")), [x], exact=True, axis=g.whole(0, x.array.ndim - 1), keepdims=g.whole(0, 1))


def reshaped(g: Grower) -> None:
    x = g.value(g.one_of("fffi"))
    extents = [n for n in x.array.shape if n != 1]
    g.random.shuffle(extents)
    cut = g.whole(0, len(extents))
    shape = [*extents[:cut], *[1] * g.whole(0, 1), *([-1] if g.maybe() else extents[cut:])]
    g.add("Reshape", [x, g.integers(*shape)], exact=True)


def transposed(g: Grower) -> None:
    x = g.value(g.one_of("fffi"), least_rank=1)
    g.add("Transpose", [x], exact=True, perm=[int(axis) for axis in g.random.permutation(x.array.ndim)])


def axes_changed(g: Grower) -> None:
    x = g.value()
    units = [axis for axis, n in enumerate(x.array.shape) if n == 1]
    if units and g.maybe():
        g.add("Squeeze", [x, g.integers(g.one_of(units))], exact=True)
    elif x.array.ndim < 5:
        g.add("Unsqueeze", [x, g.integers(g.whole(0, x.array.ndim))], exact=True)


def joined(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    shape = list(x.array.shape)
    shape[axis] = g.whole(1, 3)
    parts = [x, g.constant(g.array(shape))]
    g.add("Concat", parts if g.maybe() else parts[::-1], exact=True, axis=axis)


def cut(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    extent = x.array.shape[axis]
    if g.maybe():
        first = g.whole(0, extent - 1)
        bounds = [g.integers(n) for n in (first, g.whole(first + 1, extent + 2), axis, g.whole(1, 2))]
        g.add("Slice", [x, *bounds], exact=True)
    elif extent > 1:
        left = g.whole(1, extent - 1)
        g.add("Split", [x, g.integers(left, extent - left)], exact=True, outputs=2, axis=axis)


def gathered(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    extent = x.array.shape[axis]
    shape = [g.whole(1, 3) for _ in range(g.whole(0, 2))]
    indices = np.asarray(g.random.integers(-extent, extent, shape), np.int64)
    g.add("Gather", [x, g.constant(indices)], exact=True, axis=axis)


def stretched(g: Grower) -> None:
    x = g.value()
    if g.maybe():
        g.add("Tile", [x, g.integers(*[g.whole(1, 2) for _ in x.array.shape])], exact=True)
    else:
        shape = [n if n > 1 else g.whole(1, 3) for n in x.array.shape]
        g.add("Expand", [x, g.integers(*[g.whole(1, 2)] * g.whole(0, 1), *shape)], exact=True)


def padded(g: Grower) -> None:
    x = g.value(least_rank=1)
    pads = [g.whole(0, 2) for _ in range(2 * x.array.ndim)]
    g.add("Pad", [x, g.integers(*pads), g.constant(np.array(0.5, np.float32))], exact=True, mode="constant")


def cumulated(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.constant(np.array(g.whole(0, x.array.ndim - 1), np.int64))
    g.add("CumSum", [x, axis], exclusive=g.whole(0, 1), reverse=g.whole(0, 1))


def product(g: Grower) -> None:
    x = g.value(least_rank=2)
    depth = x.array.shape[-1]
    columns = g.whole(1, 6)
    if x.array.ndim == 2 and g.maybe():
        transposed_weight = g.whole(0, 1)
        weight = g.array((columns, depth) if transposed_weight else (depth, columns))
        g.add("Gemm", [x, g.constant(weight), g.constant(g.array(columns))], transB=transposed_weight, alpha=0.5)
    else:
        lead = x.array.shape[:-2] if g.maybe() else ()
        g.add("MatMul", [x, g.constant(g.array((*lead, depth, columns)))])


def softmax(g: Grower) -> None:
    x = g.value(least_rank=1)
    if np.ptp(x.array) > 50:  # the evaluator takes the logarithm of what has become subnormal
        raise TakenBackError
    g.add(g.one_of(("Softmax", "LogSoftmax")), [x], axis=g.whole(-x.array.ndim, x.array.ndim - 1))


def normalised(g: Grower) -> None:
    x = g.value(least_rank=2)
    if x.array.std(axis=-1).min() < 0.1:  # rounding would be blown up
        raise TakenBackError
    gain, shift = (g.constant(g.array(x.array.shape[-1])) for _ in range(2))
    g.add("LayerNormalization", [x, gain, shift], axis=-1)


def image(g: Grower) -> Value:
    return g.value(rank=4)


def batch_norm(g: Grower) -> None:
    if g.opset < 14:  # the evaluator's BatchNormalization_9 (op_batch_normalization.py) mixes in the batch's own mean
        raise TakenBackError
    x = image(g)
    gain, shift, mean = (g.constant(g.array(x.array.shape[1])) for _ in range(3))
    variance = g.constant(np.abs(g.array(x.array.shape[1])) + np.float32(0.5))
    g.add("BatchNormalization", [x, gain, shift, mean, variance])


def convolution(g: Grower) -> None:
    x = image(g)
    channels = x.array.shape[1]
    kernel = [g.whole(1, min(3, n)) for n in x.array.shape[2:]]
    if g.whole(0, 2) == 0:
        weight, group = g.array((channels, 1, *kernel)), channels
    else:
        weight, group = g.array((g.whole(1, 6), channels, *kernel)), 1
    inputs = [x, g.constant(weight), *([g.constant(g.array(len(weight)))] if g.maybe() else [])]
    pads = [g.whole(0, n // 2) for n in kernel] * 2
    g.add("Conv", inputs, group=group, kernel_shape=kernel, pads=pads, strides=[g.whole(1, 2), g.whole(1, 2)])


def pooled(g: Grower) -> None:
    x = image(g)
    if g.whole(0, 2) == 0:
        g.add("GlobalAveragePool", [x])
        return
    kernel = [g.whole(1, min(3, n)) for n in x.array.shape[2:]]
    op = g.one_of(("MaxPool", "AveragePool"))
    g.add(op, [x], exact=op == "MaxPool", kernel_shape=kernel, strides=[g.whole(1, 2), g.whole(1, 2)])


RULES: tuple[Callable[[Grower], None], ...] = (
    *(unary, unary, binary, binary, steps, compared, logic, where, cast, reduced, arg_extreme, reshaped, transposed),
    *(axes_changed, joined, cut, gathered, stretched, padded, cumulated, product, product, softmax, normalised),
    *(batch_norm, convolution, convolution, pooled),
)
