"""Operators on maps, and columns put beside each other: DictVectorizer, CastMap, FeatureVectorizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import skerry
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

Array = np.ndarray[Any, Any]


def floats(values: Any) -> Array:
    return np.array(values, np.float32)


I64, F32, F64, TEXT = TensorProto.INT64, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.STRING


def map_of(key: int, value: int) -> onnx.TypeProto:
    return helper.make_map_type_proto(key, helper.make_tensor_type_proto(value, []))


def model_of(op: str, inputs: dict[str, Any], kind: int, **attributes: Any) -> onnx.ModelProto:
    node = helper.make_node(op, list(inputs), ["y"], name="here", domain="ai.onnx.ml", **attributes)
    infos = [helper.make_value_info(name, given) for name, given in inputs.items()]
    graph = helper.make_graph([node], op, infos, [helper.make_tensor_value_info("y", kind, None)])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def ours(model: onnx.ModelProto, feed: dict[str, Any]) -> Array:
    loaded = skerry.loads(model.SerializeToString())
    assert isinstance(loaded, skerry.Model)
    found = loaded.session().run(feed)["y"]
    assert isinstance(found, np.ndarray)
    return found


def assert_equal(found: Array, wanted: Array) -> None:
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.tolist() == wanted.tolist()


WORDS, PLACES = ["a", "c", "b", "z"], [7, -2, 5]
CASES = [
    (map_of(TEXT, F32), F32, {"string_vocabulary": WORDS}, {"c": 8.5, "a": 4.0}),
    (map_of(TEXT, F64), F64, {"string_vocabulary": WORDS}, {"z": 0.1}),
    (map_of(TEXT, I64), I64, {"string_vocabulary": WORDS}, {"b": 2**53 + 1, "nobody": 3}),
    (map_of(I64, F32), F32, {"int64_vocabulary": PLACES}, {-2: 1.5, 7: 2.5}),
    (map_of(I64, F64), F64, {"int64_vocabulary": PLACES}, {}),
]


@pytest.mark.parametrize(("given", "kind", "vocabulary", "x"), CASES)
def test_a_dict_becomes_a_vector_in_the_order_of_the_vocabulary(given: Any, kind: int, vocabulary: Any, x: Any) -> None:
    model = model_of("DictVectorizer", {"x": given}, kind, **vocabulary)
    found = ours(model, {"x": x})
    wanted = ReferenceEvaluator(model).run(None, {"x": x})[0]
    assert_equal(found, np.asarray(wanted).astype(helper.tensor_dtype_to_np_dtype(kind)))
    if kind == F32:  # ONNX Runtime's Python makes floats of all
        by_runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
        assert_equal(found, by_runtime[0])


def test_dicts_of_strings_become_strings() -> None:
    model = model_of("DictVectorizer", {"x": map_of(I64, TEXT)}, TEXT, int64_vocabulary=PLACES)
    assert_equal(ours(model, {"x": {5: "fünf", 7: "sieben"}}), np.array(["sieben", "", "fünf"], object))


def test_a_list_of_dicts_becomes_a_matrix() -> None:
    given = helper.make_sequence_type_proto(map_of(TEXT, F32))
    model = model_of("DictVectorizer", {"x": given}, F32, string_vocabulary=WORDS)
    x = [{"a": 1.0, "b": 2.0}, {}, {"z": 3.0}]
    assert_equal(ours(model, {"x": x}), ReferenceEvaluator(model).run(None, {"x": x})[0].astype(np.float32))
    assert ours(model, {"x": []}).shape == (0, 4)


def test_what_zipmap_gives_dictvectorizer_takes() -> None:
    nodes = [
        helper.make_node("ZipMap", ["x"], ["maps"], domain="ai.onnx.ml", classlabels_strings=["a", "b", "c"]),
        helper.make_node("DictVectorizer", ["maps"], ["y"], domain="ai.onnx.ml", string_vocabulary=["c", "a", "b"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", F32, [None, 3])],
        [helper.make_tensor_value_info("y", F32, None)],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert_equal(ours(helper.make_model(graph, opset_imports=opsets, ir_version=10), {"x": x}), x[:, [2, 0, 1]])


@pytest.mark.parametrize("form", ["DENSE", "SPARSE"])
@pytest.mark.parametrize(("to", "kind"), [("TO_FLOAT", F32), ("TO_INT64", I64), ("TO_STRING", TEXT)])
def test_maps_of_floats_are_cast_as_onnx_runtime_does(to: str, kind: int, form: str) -> None:
    model = model_of("CastMap", {"x": map_of(I64, F32)}, kind, cast_to=to, map_form=form, max_map=6)
    x = {4: 1.5, 1: -2.75, 3: 1e9, 0: 0.1}
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    assert_equal(ours(model, {"x": x}), wanted)


# ONNX Runtime's Python cannot be given such maps.
def test_maps_of_strings_are_cast() -> None:
    x = {4: "1.5", 1: "-2", 3: "7"}
    of_texts = {"x": map_of(I64, TEXT)}
    assert_equal(ours(model_of("CastMap", of_texts, F32), {"x": x}), floats([[-2, 7, 1.5]]))
    whole = model_of("CastMap", of_texts, I64, cast_to="TO_INT64", map_form="SPARSE", max_map=5)
    assert_equal(ours(whole, {"x": x | {4: "9"}}), np.array([[0, -2, 0, 7, 9]]))
    same = model_of("CastMap", of_texts, TEXT, cast_to="TO_STRING")
    assert_equal(ours(same, {"x": x}), np.array([["-2", "7", "1.5"]], object))
    with pytest.raises(skerry.TypeMismatch, match=r"'1\.5' is no i64"):
        ours(whole, {"x": x})


def test_an_empty_map_is_an_empty_row_or_zeros() -> None:
    assert ours(model_of("CastMap", {"x": map_of(I64, F32)}, F32), {"x": {}}).shape == (1, 0)
    sparse = model_of("CastMap", {"x": map_of(I64, F32)}, F32, map_form="SPARSE", max_map=3)
    assert_equal(ours(sparse, {"x": {}}), np.zeros((1, 3), np.float32))


@pytest.mark.parametrize(
    ("op", "given", "attributes", "told"),
    [
        ("CastMap", map_of(I64, F32), {"cast_to": "TO_BOOL"}, "cast_to is 'TO_BOOL'"),
        ("CastMap", map_of(I64, F32), {"map_form": "ROUND"}, "map_form is 'ROUND'"),
        ("CastMap", map_of(I64, F32), {"map_form": "SPARSE", "max_map": 0}, "max_map is 0"),
        ("CastMap", map_of(I64, F32), {"map_form": "SPARSE", "max_map": 2**62}, "max_map is"),
        ("CastMap", map_of(TEXT, F32), {}, "does not take map_of_string"),
        ("CastMap", map_of(I64, F64), {}, "does not take map_of_i64"),
        ("CastMap", helper.make_tensor_type_proto(F32, [3]), {}, "does not take f32"),
        ("DictVectorizer", map_of(I64, F32), {}, "needs one vocabulary"),
        (
            "DictVectorizer",
            map_of(I64, F32),
            {"int64_vocabulary": [1], "string_vocabulary": ["a"]},
            "needs one vocabulary",
        ),
        ("DictVectorizer", map_of(I64, F32), {"string_vocabulary": ["a"]}, "does not take map_of_i64"),
        ("DictVectorizer", helper.make_tensor_type_proto(F32, [3]), {"int64_vocabulary": [1]}, "does not take f32"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_node(op: str, given: Any, attributes: Any, told: str) -> None:
    with pytest.raises(skerry.TypeMismatch, match=told) as refused:
        skerry.loads(model_of(op, {"x": given}, F32, **attributes).SerializeToString())
    assert "here" in str(refused.value)


@pytest.mark.parametrize("key", [-1, 3, 2**62])
def test_a_key_past_the_places_of_a_sparse_tensor_is_refused(key: int) -> None:
    model = model_of("CastMap", {"x": map_of(I64, F32)}, F32, map_form="SPARSE", max_map=3)
    with pytest.raises(skerry.OutOfRange, match=str(key)):
        ours(model, {"x": {key: 1.0}})


@pytest.mark.parametrize(
    ("given", "x"),
    [
        (map_of(I64, F32), {"a": 1.0}),
        (map_of(TEXT, F32), {1: 1.0}),
        (map_of(I64, F32), {2**70: 1.0}),
        (map_of(I64, F32), [1.0]),
        (map_of(I64, F32), {1: [1.0, 2.0]}),
        (map_of(I64, F32), {1: "no"}),
        (map_of(I64, TEXT), {1: 2.0}),
        (map_of(I64, helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))), None),
    ],
)
def test_an_object_that_is_no_such_map_is_refused(given: Any, x: Any) -> None:
    vocabulary: dict[str, Any] = {"int64_vocabulary": [1]}
    if given.map_type.key_type == TEXT:
        vocabulary = {"string_vocabulary": ["a"]}
    with pytest.raises((skerry.TypeMismatch, ValueError), match=r"input 'x'|no |could not|inhomogeneous"):
        ours(model_of("DictVectorizer", {"x": given}, given.map_type.value_type.tensor_type.elem_type, **vocabulary),
             {"x": x})  # fmt: skip


def columns(*arrays: Array, **attributes: Any) -> onnx.ModelProto:
    kinds = [helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(a.dtype), [None] * a.ndim) for a in arrays]
    return model_of("FeatureVectorizer", {f"x{i}": kind for i, kind in enumerate(kinds)}, F32, **attributes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_columns_are_put_beside_each_other_cut_and_filled_up(dtype: Any) -> None:
    a, b = np.arange(6).reshape(2, 3).astype(dtype), np.arange(4).reshape(2, 2).astype(dtype)
    for widths in ([3, 2], [1, 4], [0, 2]):
        model = columns(a, b, inputdimensions=widths)
        feed = {"x0": a, "x1": b}
        found = ours(model, feed)
        assert_equal(found, ReferenceEvaluator(model).run(None, feed)[0].astype(np.float32))
        assert_equal(found, onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0])


def test_a_vector_is_one_row() -> None:
    a, b = floats([1, 2, 3]), floats([[4, 5]])
    model = columns(a, b, inputdimensions=[3, 2])
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x0": a, "x1": b})[0]
    assert_equal(ours(model, {"x0": a, "x1": b}), wanted)
    assert_equal(ours(columns(a, b), {"x0": a, "x1": b}), wanted)


@pytest.mark.parametrize("widths", [[3], [3, -1], [3, 2**62]])
def test_widths_that_do_not_fit_are_refused(widths: list[int]) -> None:
    a = np.zeros((2, 3), np.float32)
    with pytest.raises(skerry.TypeMismatch, match="inputdimensions"):
        ours(columns(a, a, inputdimensions=widths), {"x0": a, "x1": a})


def test_inputs_of_different_rows_are_refused() -> None:
    a, b = np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32)
    with pytest.raises(skerry.TypeMismatch, match="rows"):
        ours(columns(a, b, inputdimensions=[3, 3]), {"x0": a, "x1": b})


def test_more_columns_than_memory_are_refused() -> None:
    a = np.zeros((1024, 1), np.float32)
    loaded = skerry.loads(columns(a, inputdimensions=[2**30]).SerializeToString())
    assert isinstance(loaded, skerry.Model)
    with pytest.raises(skerry.BudgetExceeded):
        loaded.session(max_memory_mb=64).run({"x0": a})
