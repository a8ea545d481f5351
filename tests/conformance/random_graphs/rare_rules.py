"""What is rarer in models: shapes that depend on values, integer arithmetic, newer normalisations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from tests.conformance.random_graphs.grower import Grower, TakenBackError


def places_of_what_is_not_zero(g: Grower) -> None:
    g.add("NonZero", [g.value(g.one_of("bi"), least_rank=1, exact=True)], exact=True)


def counted_up(g: Grower) -> None:
    first, step = g.whole(-3, 3), g.one_of((-2, -1, 1, 2, 3))
    last = first + step * g.whole(1, 5) + g.whole(0, 1)
    g.add("Range", [g.constant(np.array(n, np.int64)) for n in (first, last, step)], exact=True)


def filled(g: Grower) -> None:
    if g.low:  # its default is float32
        raise TakenBackError
    x = g.value()
    (shape,) = g.add("Shape", [x], exact=True)
    (zeros,) = g.add("ConstantOfShape", [shape], exact=True)
    g.add("Add", [x, zeros], exact=True)


def hardmax(g: Grower) -> None:
    x = g.value(least_rank=1, exact=True)
    g.add("Hardmax", [x], exact=True, axis=g.whole(-x.array.ndim, x.array.ndim - 1))


def group_norm(g: Grower) -> None:
    x = g.value(rank=4)
    channels = x.array.shape[1]
    groups = g.one_of([n for n in range(1, channels + 1) if channels % n == 0])
    rows = x.array.reshape(x.array.shape[0], groups, -1)
    if g.opset < 21 or rows.std(axis=-1).min() < 0.1:  # before 21 gains were those of groups
        raise TakenBackError
    gain, shift = (g.constant(g.array(channels)) for _ in range(2))
    g.add("GroupNormalization", [x, gain, shift], num_groups=groups)


def rms_norm(g: Grower) -> None:
    x = g.value(least_rank=2)
    if np.sqrt((x.array**2).mean(axis=-1)).min() < 0.1:
        raise TakenBackError
    g.add("RMSNormalization", [x, g.constant(g.array(x.array.shape[-1]))], axis=-1)


def dilated(g: Grower) -> None:
    x = g.value(rank=g.one_of((3, 4, 5)))
    space = x.array.shape[2:]
    steps = [2 if n >= 3 and g.maybe() else 1 for n in space]
    kernel = [g.whole(1, min(2, (n - 1) // step + 1)) for n, step in zip(space, steps, strict=True)]
    groups = x.array.shape[1] if g.whole(0, 2) == 0 else 1
    weight = g.array((groups * g.whole(1, 2), x.array.shape[1] // groups, *kernel))
    g.add("Conv", [x, g.constant(weight)], group=groups, kernel_shape=kernel, dilations=steps)


def pooled_whole(g: Grower) -> None:
    # Of three axes the evaluator (op_global_max_pool.py) makes four.
    g.add("GlobalMaxPool", [g.value(rank=4)], exact=True)


def other_functions(g: Grower) -> None:
    op = g.one_of(("Swish", "Sinh", "Asinh", "Tan", "Shrink", "IsNaN", "IsInf"))
    x = g.value(exact=op == "Shrink")
    if op == "Tan" and np.abs(x.array).max(initial=0) > 1.2:
        raise TakenBackError
    g.add(op, [x], exact=op in ("IsNaN", "IsInf"))


def integers(g: Grower) -> None:
    x = g.value("i", exact=True)
    wanted = g.one_of((TensorProto.INT32, TensorProto.INT8, TensorProto.INT16))
    if np.abs(x.array).max(initial=0) > 100:
        raise TakenBackError
    (small,) = g.add("Cast", [x], exact=True, to=wanted)
    op = g.one_of(("BitwiseAnd", "BitwiseOr", "BitwiseXor", "Abs", "Neg", "Max"))
    if op in ("Abs", "Neg"):
        (small,) = g.add(op, [small], exact=True)
    else:
        other = g.constant(np.array(g.whole(-4, 4), small.array.dtype))
        (small,) = g.add(op, [small, other], exact=True)
    g.add("Cast", [small], exact=True, to=TensorProto.INT64)


def integer_products(g: Grower) -> None:
    rows, depth, columns = (g.whole(1, 6) for _ in range(3))
    signed = g.maybe()
    a = g.constant(np.asarray(g.random.integers(0, 256, (rows, depth)), np.uint8))
    b = g.random.integers(-128, 128, (depth, columns)) if signed else g.random.integers(0, 256, (depth, columns))
    weight = g.constant(np.asarray(b, np.int8 if signed else np.uint8))
    zeros = [
        g.constant(np.array(g.whole(100, 150), np.uint8)),
        g.constant(np.array(g.whole(-9, 9) if signed else g.whole(100, 150), weight.array.dtype)),
    ]
    (sums,) = g.add("MatMulInteger", [a, weight, *zeros], exact=True)
    g.add("Cast", [sums], exact=True, to=TensorProto.INT64)


def double(g: Grower) -> None:
    """To more bits and back: what is between is rounded twice."""
    if g.low:
        raise TakenBackError
    x = g.value("i", exact=True)
    (wide,) = g.add("Cast", [x], exact=True, to=TensorProto.INT32)
    (floats,) = g.add("Cast", [wide], exact=True, to=TensorProto.FLOAT)
    g.add("Div", [floats, g.constant(np.array(3, np.float32))], exact=True)


RULES: tuple[Callable[[Grower], None], ...] = (
    *(places_of_what_is_not_zero, counted_up, filled, hardmax, group_norm, rms_norm, dilated, pooled_whole),
    *(other_functions, integers, integer_products, double),
)
