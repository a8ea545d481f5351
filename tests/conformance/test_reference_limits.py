"""What is told of the memory of operators that compute on copies of their inputs: runs keep to it."""

from __future__ import annotations

import multiprocessing
import resource
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skerry
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]

# Code that is paged in, Python's own objects, and the model beside what a run takes.
SLACK_BYTES = 16 << 20


def random(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).random(shape, dtype=np.float32)


CASES: dict[str, tuple[Array, list[Array], dict[str, Any]]] = {
    "CumSum": (random(2_000_000), [np.array(0)], {}),
    "ConvTranspose": (random(1, 4, 512, 512), [random(4, 8, 1, 1)], {}),
    "LpNormalization": (random(2, 1_000_000), [], {"axis": 1}),
    "DFT": (random(1, 1 << 19, 2), [], {}),
    "LpPool": (random(1, 2, 1000, 1000), [], {"kernel_shape": [1, 1]}),
    "LRN": (random(1, 2, 1000, 1000), [], {"size": 1}),
    "MeanVarianceNormalization": (random(1, 2, 1000, 1000), [], {}),
    "Hardmax": (random(1000, 2000), [], {}),
    "GridSample": (random(1, 2, 1000, 1000), [random(1, 1000, 500, 2)], {}),
}


def model_of(op: str) -> tuple[bytes, dict[str, Array]]:
    x, constants, attributes = CASES[op]
    names = ["x", *(f"c{i}" for i in range(len(constants)))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for array, name in zip(constants, names[1:], strict=True)],
    )
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(), {"x": x}


def session(model: bytes, max_memory_mb: float | None = None) -> skerry.Session:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return loaded.session(threads=1, max_memory_mb=max_memory_mb)


def run_and_measure(op: str, answer: Any) -> None:
    model, feed = model_of(op)
    told = session(model).plan(feed).peak_bytes
    limited = session(model, told / 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limited.run(feed)
    answer.put((told, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024))


@pytest.mark.parametrize("op", CASES)
def test_a_run_takes_what_was_told_and_no_more(op: str) -> None:
    fresh = multiprocessing.get_context("spawn")  # the highest memory so far is a process's
    answer: Any = fresh.Queue()
    process = fresh.Process(target=run_and_measure, args=(op, answer))
    process.start()
    told, taken = answer.get(timeout=120)
    process.join()
    assert taken <= told + SLACK_BYTES


@pytest.mark.parametrize("op", ["CumSum", "ConvTranspose", "DFT"])
def test_a_limit_below_what_a_run_takes_is_refused(op: str) -> None:
    model, feed = model_of(op)
    told = session(model).plan(feed).peak_bytes
    with pytest.raises(skerry.BudgetExceeded):
        session(model, (told - 1) / 2**20).run(feed)
