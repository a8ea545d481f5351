"""Random valid graphs against ONNX's reference evaluator: some hundred; `./dev fuzz graphs` asks a hundred thousand."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest

from tests.conformance.random_graphs import question
from tests.conformance.random_graphs.grower import NEWEST_OPSET, OLDEST_OPSET, Value


def test_random_graphs_equal_the_reference_evaluator() -> None:
    wrong, rounded, away = question.wrong_answers(0, 400)
    assert wrong == {}
    assert rounded > 1000
    assert away <= max(2, 0.01 * rounded)


def operators(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from operators(attribute.g)


def test_graphs_are_valid_and_of_every_opset_type_and_kind() -> None:
    seen: Counter[str] = Counter()
    opsets, types = set(), Counter[str]()
    for seed in range(400):
        g = question.grown(seed)
        model = question.model_of(g)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        seen.update(operators(model.graph))
        opsets.add(g.opset)
        types[g.low] += 1
    assert opsets == set(range(OLDEST_OPSET, NEWEST_OPSET + 1))
    assert min(types[low] for low in ("", "float16", "bfloat16")) > 20
    assert len(seen) > 80
    for op in ("If", "Loop", "QuantizeLinear", "Resize", "Pad", "TopK", "CumSum", "Einsum", "Split", "ScatterND"):
        assert seen[op] >= 10, op


def f32(values: Any) -> np.ndarray:
    return np.asarray(values, np.float32)


def f16(values: Any) -> np.ndarray:
    return np.asarray(values, np.float16)


VALUE = Value("y", np.array([1.0, 2.0, 3.0, 4.0], np.float32), False)
QUANTA = VALUE._replace(array=np.arange(100, dtype=np.float32), slack=np.ones(100, np.float32))


@pytest.mark.parametrize(
    ("value", "ours", "said"),
    [
        (VALUE, VALUE.array, ""),
        (VALUE, VALUE.array + np.float32(1e-5), ""),
        (VALUE, VALUE.array + f32([0, 0, 0, 0.1]), "differs by"),
        (VALUE, f32([1, 2, 3, np.nan]), "differs by"),
        (VALUE, VALUE.array.astype(np.float64), "instead of float32"),
        (VALUE, VALUE.array.reshape(2, 2), "instead of"),
        (VALUE._replace(array=np.array([1, 2])), np.array([1, 3]), "differs"),
        (QUANTA, QUANTA.array + f32(np.arange(100) < 20), ""),
        (QUANTA, QUANTA.array + f32(np.arange(100) < 21), "21 of 100 on another quantum"),
        (QUANTA, QUANTA.array + 1.01 * f32(np.arange(100) < 2), "differs by"),
    ],
)
def test_an_answer_is_judged_by_type_shape_and_distance(value: Value, ours: np.ndarray, said: str) -> None:
    wrong = question.judged(ours.astype(ours.dtype), value, "", 1e-4).wrong
    assert (said in wrong) if said else wrong == ""


def test_what_has_fewer_bits_is_asked_for_an_answer_within_their_rounding() -> None:
    value = VALUE._replace(array=f32([1.0]))
    assert question.judged(f16([1.001]), value, "float16", 1e-2).wrong == ""
    assert "differs" in question.judged(f16([1.1]), value, "float16", 1e-2).wrong
    assert "instead of" in question.judged(f32([1.0]), value, "float16", 1e-2).wrong
    shares: dict[str, list[float]] = {"": [], "float16": [], "bfloat16": []}
    for seed in range(200):
        g = question.grown(seed)
        floats = [v.array for v in g.values if v.array.size and v.array.dtype == np.float32]
        scale = max([1.0, *(float(np.abs(array).max()) for array in floats)])
        shares[g.low] += [tolerance / scale for tolerance in question.tolerances(g).values()]
    assert max(shares[""]) <= 1.1e-4
    assert np.median(shares["float16"]) < 0.01
    assert max(shares["float16"]) <= 0.05
    assert np.median(shares["bfloat16"]) < 0.08
    assert max(shares["bfloat16"]) <= 0.4
