#!/usr/bin/env python3
"""Writes tests/data/ops/<operator>.bin: small models of one node with inputs and right answers, for every attribute.

Answers come from ONNX Runtime, where it lacks a form from onnx.reference, and for forms that neither knows any more
(opsets 1 to 6) from the numpy expression beside the case. Needs numpy, onnx and onnxruntime. Run it again when an
operator or a case is added.

A bundle is a row of entries, each a name and a content: little-endian u32 length, name, u32 length, content. Names are
`<case>/model` (ONNX), `<case>/in/<name>`, `<case>/out/<name>`: tensors as a byte with their dtype's number in ONNX, a
byte with their rank, i64 extents, elements. `tests/data/ops/versions.json` says since which opset the newest form of
each operator is there.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from op_case import CASES, REAL_DTYPES, SIGNED, SPECIAL, UNSIGNED, Array, Case, case, i64, integers, reals, some, truths

FOLDER = Path(__file__).resolve().parent.parent / "tests/data/ops"
NEWEST_OPSET = 28  # ops::newest_opset()


def erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf)(x))


def gelu(x: Array, approximate: str | None) -> Array:
    if approximate == "tanh":
        return np.asarray(x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))
    return np.asarray(x / 2 * (1 + erf(x / np.sqrt(2))))


def unary() -> None:
    # Where ONNX Runtime lacks f64, onnx.reference counts in f32.
    double: dict[str, Callable[[Array], Array]] = {
        "Erf": erf,
        "HardSwish": lambda v: v * np.clip(v / 6 + 0.5, 0, 1),
    }
    for op in ["Neg", "Exp", "Erf", "Relu", "Sigmoid", "Tanh", "HardSwish", "Floor", "Ceil", "Softplus", "Abs", "Sign"]:
        for dtype in REAL_DTYPES:
            x = reals(3, 7, dtype=dtype)
            case(op, x, expected=double[op](x) if dtype is np.float64 and op in double else None)
        case(op, reals(1031))
        case(op, np.array(0.7, dtype=np.float32))
        case(op, np.zeros((2, 0, 3), dtype=np.float32))
    for op in ["Neg", "Exp", "Relu", "Sigmoid", "Tanh", "Floor", "Ceil", "Abs", "Softplus", "Erf"]:
        case(op, SPECIAL)
    for op in ["Sqrt", "Log", "Reciprocal"]:
        for dtype in REAL_DTYPES:
            case(op, reals(5, 9, dtype=dtype, low=0.01, high=9.0))
        case(op, SPECIAL)
    for op in ["Abs", "Neg", "Sign", "Relu"]:
        for dtype in SIGNED:
            case(op, some(dtype, 4, 5))
    for dtype in UNSIGNED:
        case("Abs", some(dtype, 7))
        case("Sign", some(dtype, 7))
    # Opset 1 with its hint about memory; forms of opset 6.
    x = reals(2, 5)
    old: dict[str, Callable[[Array], Array]] = {
        "Abs": np.abs, "Neg": np.negative, "Exp": np.exp, "Tanh": np.tanh, "Floor": np.floor, "Ceil": np.ceil,
        "Relu": lambda v: np.maximum(v, 0), "Sigmoid": lambda v: 1 / (1 + np.exp(-v)), "Reciprocal": np.reciprocal,
    }  # fmt: skip
    for op, f in old.items():
        case(op, x, opset=1, expected=f(x).astype(np.float32), consumed_inputs=[0])
        case(op, x, opset=6, expected=f(x).astype(np.float32))
    case("Sqrt", np.abs(x), opset=1, expected=np.sqrt(np.abs(x)))
    case("Log", np.abs(x), opset=1, expected=np.log(np.abs(x)))
    for dtype in REAL_DTYPES:
        case("LeakyRelu", reals(3, 7, dtype=dtype))
        case("LeakyRelu", reals(3, 7, dtype=dtype), alpha=0.3)
        case("HardSigmoid", reals(3, 7, dtype=dtype))
        case("HardSigmoid", reals(3, 7, dtype=dtype), alpha=0.4, beta=0.1)
        case("Elu", reals(3, 7, dtype=dtype))
        case("Elu", reals(3, 7, dtype=dtype), alpha=1.7)
        for approximate in [None, "none", "tanh"]:
            y = reals(3, 7, dtype=dtype)
            answer = gelu(y, approximate) if dtype is np.float64 else None
            case("Gelu", y, expected=answer, approximate=approximate)
    case("LeakyRelu", x, opset=1, expected=np.where(x < 0, np.float32(0.01) * x, x), consumed_inputs=[0])
    case("Elu", x, opset=1, expected=np.where(x < 0, np.expm1(x), x).astype(np.float32))
    case("HardSigmoid", x, opset=1, expected=np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1))
    case("Not", truths(3, 4))
    case("Not", truths(3, 4), opset=1)


def clip() -> None:
    for dtype in [*REAL_DTYPES, *SIGNED, *UNSIGNED]:
        low, high = np.array(2, dtype=dtype), np.array(5, dtype=dtype)
        x = some(dtype, 3, 6)
        case("Clip", x, low, high)
        case("Clip", x, low, high, constant=[1, 2])
        case("Clip", x, None, high)
        case("Clip", x, low)
        case("Clip", x, expected=x)
    case("Clip", reals(9), np.array(2, dtype=np.float32), np.array(-1, dtype=np.float32), opset=13)
    x = reals(4, 5)
    case("Clip", x, opset=6, min=-1.0, max=1.5)
    case("Clip", x, opset=6, max=1.5)
    case("Clip", x, opset=6)
    case("Clip", x, opset=1, expected=np.clip(x, -1, 1), min=-1.0, max=1.0, consumed_inputs=[0])
    wide = reals(6, dtype=np.float64)
    case("Clip", wide, opset=6, expected=np.clip(wide, -1, 1.5), min=-1.0, max=1.5)
    case("Clip", SPECIAL, np.array(-1, dtype=np.float32), np.array(1, dtype=np.float32),
         expected=np.clip(SPECIAL, -1, 1))  # fmt: skip


SHAPES = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((2, 1, 4), (3, 1)),
    ((), (2, 3)),
    ((1,), (1, 1)),
    ((2, 0), (1,)),
]


def binary() -> None:
    for op in ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum"]:
        for dtype in REAL_DTYPES:
            case(op, reals(3, 5, dtype=dtype), reals(5, dtype=dtype, low=0.5))
        for left, right in SHAPES:
            case(op, reals(*left), reals(*right, low=0.5))
        case(op, reals(1031), reals(1031, low=0.5))
    for op in ["Add", "Sub", "Mul", "Max", "Min"]:
        for dtype in [*SIGNED, *UNSIGNED]:
            a, b = some(dtype, 3, 5), some(dtype, 5)
            numpy_op = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum}[op]
            case(op, a, b, opset=14, expected=np.asarray(numpy_op(a, b)))
    for dtype in [*SIGNED, *UNSIGNED]:
        a, b = some(dtype, 3, 5), integers(5, low=1, high=9).astype(dtype)
        quotient = (np.sign(a.astype(np.int64)) * (np.abs(a.astype(np.int64)) // b.astype(np.int64))).astype(dtype)
        case("Div", a, b, opset=14, expected=quotient)
    for op in ["Max", "Min", "Sum"]:
        case(op, reals(3, 4))
        case(op, reals(3, 1), reals(4), reals(2, 1, 1))
        case(op, reals(3, 4), reals(3, 4), reals(3, 4), reals(1, 4))
    case("Max", SPECIAL, SPECIAL[::-1].copy())
    case("Min", SPECIAL, SPECIAL[::-1].copy())
    a, b = reals(2, 3), reals(2, 3)
    case("Max", a, b, opset=1, expected=np.maximum(a, b), consumed_inputs=[0, 0])
    case("Min", a, b, opset=6, expected=np.minimum(a, b))
    case("Sum", a, b, a, opset=1, expected=a + b + a)
    legacy: dict[str, Callable[[Array, Array], Array]] = {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide,
    }  # fmt: skip
    x = reals(2, 3, 4, 5)
    for op, f in legacy.items():
        c, cd, d, whole = reals(3, low=0.5), reals(3, 4, low=0.5), reals(5, low=0.5), reals(2, 3, 4, 5, low=0.5)
        for opset in [1, 6]:
            case(op, x, whole, opset=opset, expected=f(x, whole))
            case(op, x, c, opset=opset, expected=f(x, c[:, None, None]), broadcast=1, axis=1)
            case(op, x, cd, opset=opset, expected=f(x, cd[:, :, None]), broadcast=1, axis=-3)
            case(op, x, d, opset=opset, expected=f(x, d), broadcast=1)
            case(op, x, d, opset=opset, expected=f(x, d), broadcast=1, axis=3)
            case(op, x, d[0], opset=opset, expected=f(x, d[0]), broadcast=1)
    for dtype in REAL_DTYPES:
        case("Pow", reals(3, 4, dtype=dtype, low=0.1), reals(4, dtype=dtype))
    case("Pow", reals(3, 4), np.array(2, dtype=np.float32), constant=[1])
    case("Pow", reals(3, 4), np.array([2], dtype=np.float32))
    case("Pow", reals(3, 4), np.array(3, dtype=np.int64))
    case("Pow", reals(3, 4, low=0.1), reals(4, dtype=np.float64))
    case("Pow", integers(3, 4, dtype=np.int32), np.array([0, 1, 2, 5], dtype=np.int32))
    case("Pow", integers(3, 4, dtype=np.int64), np.array([0, 1, 2, 5], dtype=np.int64))
    case("Pow", integers(3, 4, dtype=np.int32, low=1), np.array([0.5, 1, 2, 3], dtype=np.float32))
    base, power = reals(2, 3, 4, low=0.1), reals(3)
    case("Pow", base, power, opset=1, expected=base ** power[:, None], broadcast=1, axis=1)
    case("Pow", base, base, opset=7)
    for dtype in [*SIGNED, *UNSIGNED]:
        a, b = some(dtype, 12), integers(12, low=1, high=7).astype(dtype)
        if np.dtype(dtype).kind == "i":
            b[::2] = -b[::2]
        case("Mod", a, b, expected=np.mod(a, b))
        case("Mod", a, b, expected=np.fmod(a, b), fmod=1)
    for dtype in REAL_DTYPES:
        a, b = reals(3, 4, dtype=dtype), reals(4, dtype=dtype)
        case("Mod", a, b, expected=np.fmod(a, b), fmod=1)
    case("Mod", integers(3, 4), integers(4, low=1), opset=10)


def prelu() -> None:
    x = reals(2, 3, 4)
    for slope in [reals(2, 3, 4), reals(3, 1), reals(4), reals(1), np.array(0.3, dtype=np.float32)]:
        case("PRelu", x, slope)
    case("PRelu", x, reals(3, 1), opset=7)
    case("PRelu", reals(2, 3, dtype=np.float64), reals(3, dtype=np.float64))
    case("PRelu", integers(2, 3, dtype=np.int32), integers(3, dtype=np.int32))
    channels, one = reals(3), reals(1)
    for opset in [1, 6]:
        case("PRelu", x, channels, opset=opset, expected=np.where(x < 0, x * channels[:, None], x))
        case("PRelu", x, one, opset=opset, expected=np.where(x < 0, x * one, x))
    row = reals(5)
    case("PRelu", row, one, opset=6, expected=np.where(row < 0, row * one, row))


def comparisons() -> None:
    table: dict[str, Callable[[Array, Array], Array]] = {
        "Equal": np.equal, "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal,
    }  # fmt: skip
    for op, f in table.items():
        for dtype in [*REAL_DTYPES, *SIGNED, *UNSIGNED]:
            a, b = integers(3, 8, low=0, high=4).astype(dtype), integers(8, low=0, high=4).astype(dtype)
            case(op, a, b, expected=np.asarray(f(a, b)))
        case(op, SPECIAL, np.zeros(1, dtype=np.float32))
        case(op, integers(2, 1, 3, dtype=np.int32, high=0), integers(4, 1, dtype=np.int32, high=0))
    case("Equal", truths(3, 4), truths(4))
    x, y = integers(2, 3, 4, dtype=np.int32, low=0, high=3), integers(3, dtype=np.int32, low=0, high=3)
    case("Equal", x, y, opset=1, expected=x == y[:, None], broadcast=1, axis=1)
    r, s = reals(2, 3, 4), reals(4)
    case("Less", r, s, opset=1, expected=r < s, broadcast=1)
    case("Greater", r, s, opset=1, expected=r > s, broadcast=1, axis=2)
    case("Greater", r, s, opset=7)
    logic: dict[str, Callable[[Array, Array], Array]] = {
        "And": np.logical_and,
        "Or": np.logical_or,
        "Xor": np.logical_xor,
    }
    for op, f in logic.items():
        for left, right in SHAPES:
            case(op, truths(*left), truths(*right))
        p, q = truths(2, 3, 4), truths(3)
        case(op, p, q, opset=1, expected=f(p, q[:, None]), broadcast=1, axis=1)
    for dtype in [*REAL_DTYPES, *SIGNED, *UNSIGNED]:
        a, b = some(dtype, 3, 4), some(dtype, 4)
        condition = truths(3, 1)
        case("Where", condition, a, b, expected=np.where(condition, a, b))
    case("Where", truths(2, 3, 1), np.array(1.5, dtype=np.float32), reals(1, 1, 4))
    case("Where", truths(3, 4), truths(4), truths(1))
    complex_a = (reals(3) + 1j * reals(3)).astype(np.complex64)
    case("Where", truths(3), complex_a, -complex_a)


def casts() -> None:
    number = helper.np_dtype_to_tensor_dtype
    dtypes: list[Any] = [*REAL_DTYPES, *SIGNED, *UNSIGNED, np.bool_]
    for source in dtypes:
        x = truths(6) if source is np.bool_ else integers(6, low=0, high=5).astype(source)
        for target in dtypes:
            case("Cast", x, expected=x.astype(target), to=int(number(np.dtype(target))))
    y = np.array([1.9, -1.9, 0.5, -0.5, 100.25, -3.999], dtype=np.float32)
    for target in [np.int32, np.int64, np.int8, np.float16, np.float64, np.bool_]:
        case("Cast", y, expected=y.astype(target), to=int(number(np.dtype(target))))
    wide = integers(5, low=-100000, high=100000)
    case("Cast", wide, expected=wide.astype(np.int8), to=int(TensorProto.INT8))
    case("Cast", wide, expected=wide.astype(np.uint16), to=int(TensorProto.UINT16))
    case("Cast", y, opset=1, expected=y.astype(np.int32), to="INT32")
    case("Cast", y, opset=1, expected=y.astype(np.float64), to="DOUBLE")
    case("Cast", y, opset=6, expected=y.astype(np.float64), to=int(TensorProto.DOUBLE))
    case("Cast", y, opset=19, expected=y.astype(np.float16), to=int(TensorProto.FLOAT16), saturate=0)


def views() -> None:
    for x in [reals(2, 3, 4), integers(2, 3, 4, dtype=np.int8), truths(2, 3, 4), reals(2, 3, 4, dtype=np.float64)]:
        case("Identity", x)
        for shape in [(6, 4), (24,), (-1,), (0, -1), (2, 0, 2, 2), (4, -1, 1), (2, -1, 2)]:
            case("Reshape", x, i64(*shape), constant=[1])
        for axis in [None, 0, 1, 2, 3, -1, -3]:
            case("Flatten", x, axis=axis)
    case("Identity", reals(3), opset=1)
    empty = np.zeros((0, 3), dtype=np.float32)
    case("Reshape", empty, i64(3, 0), constant=[1], allowzero=1)
    case("Reshape", empty, i64(0, 3), constant=[1])
    case("Reshape", reals(1), np.zeros(0, dtype=np.int64), constant=[1])
    x = reals(2, 3)
    case("Reshape", x, opset=1, expected=x.reshape(3, 2), shape=[3, 2], consumed_inputs=[0])
    case("Reshape", x, opset=1, expected=x.reshape(2, 3, 1), shape=[0, -1, 1])
    case("Reshape", x, i64(-1), constant=[1], opset=5, expected=x.reshape(-1))
    case("Flatten", np.array(2.0, dtype=np.float32), axis=0)
    case("Flatten", x, opset=1, expected=x, axis=1)
    y = reals(1, 3, 1, 2)
    case("Squeeze", y)
    case("Squeeze", y, i64(0), constant=[1])
    case("Squeeze", y, i64(-2, 0), constant=[1])
    case("Squeeze", y, opset=1, axes=[0, 2])
    case("Squeeze", y, opset=1)
    case("Squeeze", y, opset=11, axes=[-4])
    case("Squeeze", reals(2, 3))
    z = reals(3, 2)
    case("Unsqueeze", z, i64(0), constant=[1])
    case("Unsqueeze", z, i64(3, 0), constant=[1])
    case("Unsqueeze", z, i64(-1, 1), constant=[1])
    case("Unsqueeze", np.array(2, dtype=np.int64), i64(0), constant=[1])
    case("Unsqueeze", z, opset=1, axes=[0, 2])
    case("Unsqueeze", z, opset=11, axes=[-1])


def dropout() -> None:
    x = reals(3, 4)
    everywhere = np.ones(x.shape, dtype=np.bool_)
    ratio, training = np.array(0.3, dtype=np.float32), np.array(False)
    case("Dropout", x)
    case("Dropout", x, outputs=2, expected=[x, everywhere])
    case("Dropout", x, ratio, constant=[1])
    case("Dropout", x, ratio, training, constant=[1, 2], outputs=2, expected=[x, everywhere])
    case("Dropout", x, np.array(0.0, dtype=np.float32), np.array(True), constant=[1, 2], expected=x)
    case("Dropout", x, opset=1, expected=x, ratio=0.3, is_test=1, consumed_inputs=[0])
    case("Dropout", x, opset=6, expected=x, ratio=0.3, is_test=1)
    case("Dropout", x, opset=7, ratio=0.3)
    case("Dropout", x, opset=10, outputs=2, expected=[x, everywhere], ratio=0.4)


def shapes() -> None:
    x = reals(2, 3, 4)
    case("Shape", x)
    for begin, end in [(1, None), (None, 2), (-1, None), (0, -1), (-2, -1), (2, 1), (-9, 9)]:
        case("Shape", x, start=begin, end=end)
    case("Shape", np.array(1.0, dtype=np.float32))
    case("Shape", x, opset=1)


def movement() -> None:
    for x in [reals(2, 3, 4, 5), integers(2, 3, 4, 5, dtype=np.int8), reals(2, 3, 4, 5, dtype=np.float64),
              reals(2, 3, 4, 5, dtype=np.float16)]:  # fmt: skip
        for perm in [None, [0, 2, 1, 3], [3, 2, 1, 0], [0, 3, 1, 2], [1, 0, 2, 3], [0, 1, 2, 3]]:
            case("Transpose", x, perm=perm)
        for axis in [0, 1, -1]:
            case("Concat", x, x, axis=axis)
    case("Transpose", reals(33, 41))
    case("Transpose", reals(7), opset=1)
    case("Concat", reals(2, 3), reals(2, 1), np.zeros((2, 0), dtype=np.float32), axis=1)
    case("Concat", reals(2, 3), axis=-2)
    case("Concat", reals(2, 3), reals(2, 1), opset=4, axis=1)
    a, b = reals(2, 3), reals(2, 1)
    case("Concat", a, b, opset=1, expected=np.concatenate([a, b], axis=1))
    x = reals(6, 7)
    case("Split", x, outputs=2, opset=18, num_outputs=2)
    case("Split", x, outputs=4, opset=18, axis=1, num_outputs=4)
    case("Split", x, i64(1, 0, 5), constant=[1], outputs=3, axis=0)
    case("Split", x, i64(3, 4), constant=[1], outputs=2, axis=-1)
    case("Split", x, outputs=3, opset=13)
    case("Split", x, i64(2, 5), constant=[1], outputs=2, opset=13, axis=1)
    case("Split", x, outputs=2, opset=2, split=[2, 5], axis=1)
    case("Split", x, outputs=3, opset=2)
    case("Split", x, outputs=2, opset=1, expected=[x[:, :2], x[:, 2:]], axis=1, split=[2, 5])
    case("Split", x, outputs=2, opset=1, expected=[x[:3], x[3:]], axis=0)
    case("Split", integers(7, dtype=np.int8), i64(2, 5), constant=[1], outputs=2)
    for x in [reals(4, 5, 6), integers(4, 5, 6, dtype=np.int16)]:
        for index in [i64(0, 3, -1), integers(2, 2, low=-4, high=4), np.array(2, dtype=np.int64),
                      np.array([1, -2], dtype=np.int32), np.zeros((2, 0), dtype=np.int64)]:  # fmt: skip
            for along in [None, 1, -1]:
                case("Gather", x, index, axis=along)
    case("Gather", reals(4, 5), i64(1, 3), opset=1)
    for shape in [(3, 4), (2, 3, 4), (1, 1), (4,), (3, 1), (2, 1, 1, 1)]:
        case("Expand", reals(3, 1), i64(*shape), constant=[1])
    case("Expand", np.array(2.5, dtype=np.float32), i64(2, 2), constant=[1])
    case("Expand", truths(1, 3), i64(2, 1), constant=[1], opset=8)
    for repeats in [(2, 3), (1, 1), (0, 2), (1, 4)]:
        case("Tile", reals(3, 2), i64(*repeats), constant=[1])
    case("Tile", integers(2, 1, 3, dtype=np.int32), i64(2, 2, 2), constant=[1], opset=6)
    x = reals(2, 3)
    case("Tile", x, i64(3), i64(1), constant=[1, 2], opset=1, expected=np.tile(x, (1, 3)))


def slices() -> None:
    far = np.iinfo(np.int64).max
    x = reals(6, 7, 5)
    rows: list[tuple[list[int], list[int], list[int] | None, list[int] | None]] = [
        ([1], [4], None, None),
        ([1, 0], [4, 7], None, None),
        ([0], [far], [1], None),
        ([-3], [-1], [-1], None),
        ([5, 1], [1, 9], [0, 1], [-2, 3]),
        ([-1], [-far], [2], [-1]),
        ([-1], [-far - 1], [0], [-4]),
        ([3], [3], [0], [1]),
        ([4], [2], [0], [1]),
        ([100], [200], [1], [1]),
        ([0], [far], [1], [far]),
        ([20], [0], [1], [-3]),
        ([1, 1, 1], [3, 3, 3], [2, 0, 1], None),
        ([6], [-100], [1], [-far]),
    ]
    for starts, ends, axes, steps in rows:
        given = [i64(*starts), i64(*ends), *([i64(*axes)] if axes else []), *([i64(*steps)] if steps and axes else [])]
        if steps and not axes:
            continue
        case("Slice", x, *given, constant=range(1, len(given) + 1))
    case("Slice", x, i64(1), i64(5), None, i64(2), constant=[1, 2, 4])
    case("Slice", x, *(np.array([v], dtype=np.int32) for v in (1, 5, 0, 2)), constant=[1, 2, 3, 4])
    case("Slice", integers(9, dtype=np.uint8), i64(-1), i64(-far), i64(0), i64(-1), constant=[1, 2, 3, 4])
    case("Slice", x, opset=1, starts=[1, 0], ends=[3, 1000])
    case("Slice", x, opset=1, starts=[1, -2], ends=[3, 1000], axes=[2, 0])


def pads() -> None:
    x = reals(3, 4)
    counts = i64(1, 2, 0, 3)
    for mode in ["constant", "edge", "reflect", "wrap"]:
        case("Pad", x, i64(1, 2, 0, 3) if mode != "wrap" else i64(1, 2, 2, 3), constant=[1], mode=mode)
        case("Pad", x, i64(0, 1), None, i64(-1), constant=[1, 3], mode=mode)
        case("Pad", integers(3, 4, dtype=np.int32), i64(2, 2), None, i64(0), constant=[1, 3], mode=mode)
    case("Pad", x, counts, np.array(1.5, dtype=np.float32), constant=[1])
    case("Pad", x, counts, np.array(1.5, dtype=np.float32), constant=[1, 2])
    case("Pad", x, i64(-1, 0, -1, 2), constant=[1])
    case("Pad", x, i64(-1, 1, 0, -2), constant=[1], mode="edge")
    case("Pad", x, i64(1, 1), np.array(2, dtype=np.float32), np.array([1], dtype=np.int32), constant=[1, 3])
    case("Pad", truths(2, 3), i64(1, 0, 0, 1), constant=[1], opset=13)
    case("Pad", np.zeros((0, 2), dtype=np.float32), i64(1, 0, 1, 0), constant=[1])
    case("Pad", x, counts, constant=[1], opset=11)
    case("Pad", x, opset=2, pads=[1, 2, 0, 3], mode="constant", value=0.5)
    case("Pad", x, opset=2, pads=[1, 2, 0, 3], mode="reflect")
    case("Pad", x, opset=2, pads=[1, 2, 0, 3])
    wide = reals(3, 4, dtype=np.float64)
    case(
        "Pad", wide, opset=2, expected=np.pad(wide, ((1, 0), (2, 3)), constant_values=0.5), pads=[1, 2, 0, 3], value=0.5
    )
    case("Pad", x, opset=1, expected=np.pad(x, ((1, 0), (2, 3)), mode="edge"), paddings=[1, 2, 0, 3], mode="edge")


def fills() -> None:
    case("ConstantOfShape", i64(2, 3), constant=[0])
    for value in [np.array([7], dtype=np.int64), np.array([1.5], dtype=np.float64), np.array([True]),
                  np.array([-3], dtype=np.int8), np.array([2], dtype=np.float16)]:  # fmt: skip
        case("ConstantOfShape", i64(4, 1, 2), constant=[0], value=numpy_helper.from_array(value))
    case("ConstantOfShape", np.zeros(0, dtype=np.int64), constant=[0])
    case("ConstantOfShape", i64(0, 2), constant=[0], opset=9)
    tensor = numpy_helper.from_array(reals(2, 3))
    case("Constant", value=tensor)
    case("Constant", opset=1, value=tensor)
    case("Constant", value_float=1.5)
    case("Constant", value_floats=[1.5, 2.5])
    case("Constant", value_int=7)
    case("Constant", value_ints=[7, -8, 9])
    rows: list[tuple[float, float, float]] = [(0, 5, 1), (2, 11, 3), (10, 0, -3), (0, 0, 1), (5, 0, 1), (-4, 4, 2)]
    for dtype in [np.float32, np.float64, np.int16, np.int32, np.int64]:
        for numbers in rows:
            case("Range", *(np.array(v, dtype=dtype) for v in numbers), constant=[0, 1, 2])
    case("Range", *(np.array(v, dtype=np.float32) for v in (0.5, 2.0, 0.25)), constant=[0, 1, 2])


def reductions() -> None:
    ops = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare"]
    for name in ops:
        op = f"Reduce{name}"
        x = reals(3, 4, 5)
        since = 13 if name == "Sum" else 18
        for axes in [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (-1,), (2, 0, -2)]:
            case(op, x, i64(*axes), constant=[1], opset=since)
            case(op, x, i64(*axes), constant=[1], opset=since, keepdims=0)
        case(op, x)
        case(op, x, keepdims=0)
        case(op, x, np.zeros(0, dtype=np.int64), constant=[1], noop_with_empty_axes=0)
        plain: dict[str, Callable[[Array], Array]] = {"L1": np.abs, "L2": np.abs, "SumSquare": np.square}
        nothing = plain.get(name, np.array)(x)
        case(op, x, np.zeros(0, dtype=np.int64), constant=[1], expected=nothing, noop_with_empty_axes=1)
        case(op, x, expected=nothing, noop_with_empty_axes=1)
        case(op, reals(2, 3, dtype=np.float64), i64(1), constant=[1])
        case(op, reals(2, 3, dtype=np.float16), i64(1), constant=[1])
        if name not in ("L2", "Mean"):
            case(op, integers(2, 3, dtype=np.int32), i64(1), constant=[1])
            case(op, integers(2, 3, dtype=np.int64), i64(0), constant=[1])
        case(op, reals(5, 67), i64(1), constant=[1])
        case(op, reals(67, 5), i64(0), constant=[1])
        for opset in [1, 11]:
            case(op, x, opset=opset, axes=[1])
            case(op, x, opset=opset, axes=[0, 2], keepdims=0)
            case(op, x, opset=opset)
    for op in ["ReduceMax", "ReduceMin"]:
        case(op, truths(3, 4), i64(1), constant=[1], opset=20)
        case(op, integers(3, 4, dtype=np.int8), i64(1), constant=[1])
    case(
        "ReduceSum",
        np.zeros((2, 0, 3), dtype=np.float32),
        i64(1),
        constant=[1],
        expected=np.zeros((2, 1, 3), np.float32),
    )
    case("ReduceProd", np.zeros((2, 0), dtype=np.float32), i64(1), constant=[1], expected=np.ones((2, 1), np.float32))
    ties = integers(4, 6, dtype=np.int32, low=0, high=3)
    for op in ["ArgMax", "ArgMin"]:
        for axis in [None, 0, 1, -1]:
            for keep in [None, 0, 1]:
                case(op, reals(4, 6), axis=axis, keepdims=keep)
        case(op, ties, axis=1)
        case(op, ties, axis=1, select_last_index=1)
        case(op, ties.astype(np.float32), axis=0, select_last_index=1, keepdims=0)
        case(op, reals(2, 3, dtype=np.float64), opset=1)
        case(op, reals(2, 3, 4), axis=1)


def halves() -> None:
    x, slope = reals(2, 3, 4, dtype=np.float16), reals(3, 1, dtype=np.float16)
    case("PRelu", x, slope, expected=np.where(x < 0, x * slope, x))


FAMILIES: list[Callable[[], None]] = [
    unary, clip, binary, prelu, comparisons, casts, views, dropout, shapes, movement, slices, pads, fills, reductions,
    halves,
]  # fmt: skip


def packed(array: Array) -> bytes:
    header = struct.pack(f"<BB{array.ndim}q", helper.np_dtype_to_tensor_dtype(array.dtype), array.ndim, *array.shape)
    return header + array.tobytes()


def entry(name: str, content: bytes) -> bytes:
    return struct.pack("<I", len(name)) + name.encode() + struct.pack("<I", len(content)) + content


def bundle(items: Sequence[Case]) -> bytes:
    parts: list[bytes] = []
    for number, item in enumerate(items):
        name = f"{item.op}_{item.opset}_{number}"
        parts.append(entry(f"{name}/model", item.model.SerializeToString()))
        parts += [entry(f"{name}/in/{key}", packed(array)) for key, array in item.inputs.items()]
        for output, array in zip(item.model.graph.output, item.expected, strict=True):
            parts.append(entry(f"{name}/out/{output.name}", packed(array)))
    return b"".join(parts)


def versions() -> dict[str, int]:
    newest: dict[str, int] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= NEWEST_OPSET:
            newest[schema.name] = max(newest.get(schema.name, 0), schema.since_version)
    return dict(sorted(newest.items()))


def main() -> None:
    for family in FAMILIES:
        family()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for op in sorted({item.op for item in CASES}):
        content = bundle([item for item in CASES if item.op == op])
        (FOLDER / f"{op}.bin").write_bytes(content)
    (FOLDER / "versions.json").write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")
    print(f"{len(CASES)} cases")


if __name__ == "__main__":
    main()
