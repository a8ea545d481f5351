"""Functions of one element at NaN, infinities, zeros and subnormals, in every real type, against ONNX's evaluator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skerry
from onnx import helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]
ATTRIBUTES: dict[str, dict[str, Any]] = {"Celu": {"alpha": 2.0}, "HardSigmoid": {"alpha": 0.5}, "LeakyRelu": {}}
# Of functions that are only about where numbers lie, the answer is exact; of others what is no number stays none.
EXACT = ("Abs", "Ceil", "Floor", "HardSigmoid", "Identity", "IsNaN", "LeakyRelu", "Neg", "Relu", "Round", "Sign")
OTHERS = (
    *("Celu", "Cos", "Elu", "Erf", "Exp", "Gelu", "HardSwish", "Log", "Mish"),
    *("Reciprocal", "Selu", "Sigmoid", "Sin", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh"),
)
DTYPES = [np.float16, np.float32, np.float64]


def both(op: str, x: Array) -> tuple[Array, Array]:
    dtype = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], **ATTRIBUTES.get(op, {}))],
        "g",
        [helper.make_tensor_value_info("x", dtype, x.shape)],
        [
            helper.make_tensor_value_info(
                "y", helper.np_dtype_to_tensor_dtype(np.dtype(bool)) if op == "IsNaN" else dtype, None
            )
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    loaded = skerry.loads(model.SerializeToString())
    assert isinstance(loaded, skerry.Model)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        theirs = ReferenceEvaluator(model).run(None, {"x": x})[0]
    return np.asarray(loaded.session().run({"x": x})["y"]), np.asarray(theirs)


# Beside others, so that vectors and what is left over are both asked.
def specials(dtype: Any) -> Array:
    return np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0] * 5, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", EXACT)
def test_what_is_no_number_and_what_is_infinite(op: str, dtype: Any) -> None:
    ours, theirs = both(op, specials(dtype))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OTHERS)
def test_what_is_no_number_stays_none(op: str, dtype: Any) -> None:
    ours, _ = both(op, specials(dtype))
    assert np.isnan(ours[::7]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["Abs", "Ceil", "Floor", "Neg", "Sign"])
def test_a_subnormal_is_itself_or_zero(op: str, dtype: Any) -> None:
    tiny = np.array([np.finfo(dtype).smallest_subnormal, -np.finfo(dtype).smallest_subnormal] * 9, dtype)
    ours, exact = both(op, tiny)
    flushed = both(op, np.zeros_like(tiny))[1]
    assert ((ours == exact) | (ours == flushed)).all()
