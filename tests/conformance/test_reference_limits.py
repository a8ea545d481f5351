"""What is told of the memory of operators that compute on copies of their inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skerry
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]


def random(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).random(shape, dtype=np.float32)


# Of what has vectors for f32.
def doubles(*shape: int) -> Array:
    return random(*shape).astype(np.float64)


CASES: dict[str, tuple[Array, list[Array], dict[str, Any]]] = {
    "CumSum": (random(2_000_000).astype(np.float16), [np.array(0)], {}),
    "ConvTranspose": (doubles(1, 4, 512, 512), [doubles(4, 8, 1, 1)], {}),
    "LpNormalization": (doubles(2, 1_000_000), [], {"axis": 1}),
    "DFT": (random(1, 1 << 19, 2), [], {}),
    "LpPool": (random(1, 2, 1000, 1000), [], {"kernel_shape": [1, 1]}),
    "LRN": (doubles(1, 2, 1000, 1000), [], {"size": 1}),
    "MeanVarianceNormalization": (doubles(1, 2, 1000, 1000), [], {}),
    "Hardmax": (doubles(1000, 2000), [], {}),
    "GridSample": (doubles(1, 2, 1000, 1000), [doubles(1, 1000, 500, 2)], {}),
    "GlobalLpPool": (random(1, 2, 1000, 1000), [], {}),
    "MaxRoiPool": (
        random(1, 2, 1000, 1000),
        [np.array([[0, 0, 0, 999, 999]], np.float32)],
        {"pooled_shape": [4, 4]},
    ),
    "SVMRegressor": (
        random(2000, 1000),
        [],
        {"domain": "ai.onnx.ml", "coefficients": [1.0, -1.0], "n_supports": 2, "rho": [0.5], "kernel_type": "RBF",
         "kernel_params": [0.1, 0.0, 0.0], "support_vectors": [0.5] * 2000},
    ),
    "FeatureVectorizer": (random(2000, 1000), [], {"domain": "ai.onnx.ml", "inputdimensions": [900]}),
    "LSTM": (
        random(20_000, 1, 64).astype(np.float16),
        [random(1, 256, 64).astype(np.float16), random(1, 256, 64).astype(np.float16)],
        {"hidden_size": 64},
    ),
}  # fmt: skip


def model_of(op: str) -> tuple[bytes, dict[str, Array]]:
    x, constants, attributes = CASES[op]
    names = ["x", *(f"c{i}" for i in range(len(constants)))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(x.dtype), None)],
        [numpy_helper.from_array(array, name) for array, name in zip(constants, names[1:], strict=True)],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(), {"x": x}


def session(model: bytes, max_memory_mb: float | None = None) -> skerry.Session:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return loaded.session(threads=1, max_memory_mb=max_memory_mb)


@pytest.mark.parametrize("op", CASES)
def test_a_limit_below_what_a_run_takes_is_refused(op: str) -> None:
    model, feed = model_of(op)
    running = session(model)
    told = running.plan(feed).peak_bytes
    x, y = feed["x"], running.run(feed)["y"]
    assert told >= (4 if x.dtype == np.float16 else 8) * x.size + y.nbytes  # a copy of the input beside the result
    with pytest.raises(skerry.BudgetExceeded):
        session(model, (told - 1) / 1e6).run(feed)


def kilobytes(of: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(of)).split()[1])


@pytest.mark.parametrize("op", CASES)
def test_a_run_takes_no_more_than_it_tells(op: str) -> None:
    model, feed = model_of(op)
    running = session(model)
    told = running.plan(feed).peak_bytes
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = kilobytes("VmRSS")
    running.run(feed)
    assert (kilobytes("VmHWM") - before) * 1024 <= 1.05 * told
