"""One case of one operator: a model of one node, its inputs and the right answer; and what cases are made of."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]

DEFAULT_OPSET = 21


class Case(NamedTuple):
    op: str
    opset: int
    model: onnx.ModelProto
    inputs: dict[str, Array]
    expected: list[Array]


CASES: list[Case] = []


def case(
    op: str,
    *arrays: Array | None,
    opset: int = DEFAULT_OPSET,
    constant: Sequence[int] = (),
    outputs: int = 1,
    expected: Array | np.generic | list[Array] | None = None,
    **attributes: Any,
) -> None:
    """Adds a case: None leaves an optional input out; `constant` names the inputs that are
    initializers, and attributes of None are left out."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(arrays)]
    result_names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(
        op, names, result_names, name=op.lower(), **{name: v for name, v in attributes.items() if v is not None}
    )
    given = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    initializers = {names[i] for i in constant}
    graph = helper.make_graph(
        [node],
        op,
        [info(name, array) for name, array in given.items() if name not in initializers],
        [onnx.ValueInfoProto(name=name) for name in result_names],
        [numpy_helper.from_array(given[name], name) for name in names if name in initializers],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    inputs = {name: array for name, array in given.items() if name not in initializers}
    if expected is None:
        answer = computed(model, inputs)
    else:
        answer = expected if isinstance(expected, list) else [np.asarray(expected)]
    for output, array in zip(model.graph.output, answer, strict=True):
        output.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    CASES.append(Case(op, opset, model, inputs, answer))


def info(name: str, array: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def computed(model: onnx.ModelProto, inputs: dict[str, Array]) -> list[Array]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [np.asarray(y) for y in session.run(None, inputs)]
    except Exception:  # ONNX Runtime raises classes of its own for what it lacks
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [np.asarray(y) for y in ReferenceEvaluator(model).run(None, inputs)]


RANDOM = np.random.default_rng(20)


def reals(*shape: int, dtype: Any = np.float32, low: float = -3.0, high: float = 3.0) -> Array:
    return np.asarray(RANDOM.uniform(low, high, shape)).astype(dtype)


def integers(*shape: int, dtype: Any = np.int64, low: int = -9, high: int = 10) -> Array:
    least = 0 if np.dtype(dtype).kind == "u" else low
    return np.asarray(RANDOM.integers(least, high, shape)).astype(dtype)


def truths(*shape: int) -> Array:
    return np.asarray(RANDOM.integers(0, 2, shape) == 1)


def i64(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


REAL_DTYPES: list[Any] = [np.float32, np.float64, np.float16]
SIGNED: list[Any] = [np.int8, np.int16, np.int32, np.int64]
UNSIGNED: list[Any] = [np.uint8, np.uint16, np.uint32, np.uint64]
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 88.0, -90.0], dtype=np.float32)


def some(dtype: Any, *shape: int) -> Array:
    return reals(*shape, dtype=dtype) if np.dtype(dtype).kind == "f" else integers(*shape, dtype=dtype)
