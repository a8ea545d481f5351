"""Tensors of strings, and classifiers whose labels are strings, against ONNX's reference evaluator and numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import skerry
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]
TEXTS = np.array([["red", "", "grün"], ["blue", "red", "x y"]], object)


def model_of(
    nodes: list[onnx.NodeProto], inputs: dict[str, Array], outputs: dict[str, Any], constants: dict[str, Array]
) -> bytes:
    """outputs: by name the number of an element type, or a type."""
    infos = [
        helper.make_tensor_value_info(name, number_of(array), [None] * array.ndim) for name, array in inputs.items()
    ]
    results = [
        helper.make_tensor_value_info(name, kind, None) if isinstance(kind, int) else helper.make_value_info(name, kind)
        for name, kind in outputs.items()
    ]
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "strings", infos, results, weights)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def number_of(array: Array) -> int:
    if array.dtype.kind in "OU":
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


def run(model: bytes, inputs: dict[str, Any]) -> dict[str, Any]:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return dict(loaded.session().run(inputs))


def one(op: str, inputs: dict[str, Array], kind: Any, domain: str = "", fixed: Any = None, **attributes: Any) -> Any:
    """The first output of one node; inputs that are named in `fixed` are constants."""
    fixed = fixed or {}
    node = helper.make_node(op, [*inputs, *fixed], ["y"], name="here", domain=domain, **attributes)
    return run(model_of([node], inputs, {"y": kind}, fixed), inputs)["y"]


def assert_texts(ours: Any, theirs: Array) -> None:
    assert ours.dtype == object
    assert ours.shape == theirs.shape
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize(
    ("op", "fixed", "attributes", "expected"),
    [
        ("Reshape", {"s": np.array([3, 2], np.int64)}, {}, TEXTS.reshape(3, 2)),
        ("Transpose", {}, {"perm": [1, 0]}, TEXTS.T),
        ("Gather", {"i": np.array([2, 0], np.int64)}, {"axis": 1}, TEXTS[:, [2, 0]]),
        (
            "Slice",
            {"b": np.array([1], np.int64), "e": np.array([3], np.int64), "a": np.array([1], np.int64)},
            {},
            TEXTS[:, 1:3],
        ),
        ("Unsqueeze", {"a": np.array([0], np.int64)}, {}, TEXTS[None]),
        ("Flatten", {}, {"axis": 0}, TEXTS.reshape(1, 6)),
        ("Tile", {"r": np.array([2, 1], np.int64)}, {}, np.tile(TEXTS, (2, 1))),
        ("Expand", {"s": np.array([2, 2, 3], np.int64)}, {}, np.broadcast_to(TEXTS, (2, 2, 3))),
        ("Concat", {"w": TEXTS}, {"axis": 0}, np.concatenate([TEXTS, TEXTS])),
        ("Identity", {}, {}, TEXTS),
    ],
)
def test_what_moves_elements_moves_strings(op: str, fixed: Any, attributes: Any, expected: Array) -> None:
    assert_texts(one(op, {"x": TEXTS}, TensorProto.STRING, fixed=fixed, **attributes), expected)


def test_where_and_equal_choose_among_strings() -> None:
    other = np.array(["red", "grün", "grün"], object)
    nodes = [helper.make_node("Equal", ["x", "o"], ["same"]), helper.make_node("Where", ["same", "x", "o"], ["y"])]
    outputs = {"same": TensorProto.BOOL, "y": TensorProto.STRING}
    answer = run(model_of(nodes, {"x": TEXTS}, outputs, {"o": other}), {"x": TEXTS})
    np.testing.assert_array_equal(answer["same"], other == TEXTS)
    assert_texts(answer["y"], np.where(other == TEXTS, TEXTS, other))


def test_str_and_bytes_arrays_are_strings_too() -> None:
    assert_texts(one("Identity", {"x": np.array(["a", "bc"])}, TensorProto.STRING), np.array(["a", "bc"], object))
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": TEXTS}, {"y": TensorProto.STRING}, {})
    assert_texts(run(model, {"x": [["é".encode()]]})["y"], np.array([["é"]], object))
    with pytest.raises(skerry.TypeMismatch, match="'x'"):
        run(model, {"x": [[1.5]]})
    with pytest.raises(skerry.TypeMismatch, match="'x'"):
        run(model, {"x": ["one axis"]})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8, np.uint64, np.bool_])
def test_numbers_become_strings_as_the_reference_writes_them_and_back(dtype: Any) -> None:
    values = np.array([0, 1, -3, 0.1, 1e20, 1e-7, 123456.789, 3.4e38, np.inf, np.nan, 1e16, 1e-4])
    if np.dtype(dtype).kind != "f":
        values = np.array([0, 1, 100, 127] if np.dtype(dtype).kind in "ui" else [0, 1])
    x = values.astype(dtype)
    kind = number_of(x)
    nodes = [
        helper.make_node("Cast", ["x"], ["text"], to=TensorProto.STRING),
        helper.make_node("Cast", ["text"], ["y"], to=kind),
    ]
    model = model_of(nodes, {"x": x}, {"text": TensorProto.STRING, "y": kind}, {})
    answer = run(model, {"x": x})
    np.testing.assert_array_equal(answer["y"], x)
    assert answer["y"].dtype == x.dtype
    assert answer["text"].tolist() == x.astype(np.str_).tolist()


@pytest.mark.parametrize("text", ["", "1x", "one", "0x10", "1 2", "1e999", "+-1"])
def test_a_string_that_is_no_number_is_refused_at_the_node(text: str) -> None:
    with pytest.raises(skerry.TypeMismatch, match="here"):
        one("Cast", {"x": np.array([text], object)}, TensorProto.FLOAT, to=TensorProto.FLOAT)


def test_strings_of_other_alphabets_change_their_case() -> None:
    words = np.array(["straße", "ÉCOLE", "Москва", "Ωmega", "漢字", "monday"], object)
    changes: dict[str, Callable[[str], str]] = {"UPPER": str.upper, "LOWER": str.lower, "NONE": str}
    for action, change in changes.items():
        ours = one(
            "StringNormalizer", {"x": words}, TensorProto.STRING, case_change_action=action, stopwords=["MONDAY"]
        )
        wanted = [change(word) for word in words[:-1]]
        if action == "UPPER":
            wanted[0] = "STRAßE"  # a letter without an upper form of its own keeps it
        assert ours.tolist() == wanted


@pytest.mark.parametrize("limit", [None, 0, 1, 2, -1])
@pytest.mark.parametrize("delimiter", [None, "-", "--", " "])
def test_strings_are_split_as_python_splits_them(delimiter: str | None, limit: int | None) -> None:
    words = np.array(["a-b--c", "  a  b c ", "", "---", "- -"], object)
    attributes: dict[str, Any] = {"delimiter": delimiter, "maxsplit": limit}
    given = {name: value for name, value in attributes.items() if value is not None}
    node = helper.make_node("StringSplit", ["x"], ["y", "n"], **given)
    model = model_of([node], {"x": words}, {"y": TensorProto.STRING, "n": TensorProto.INT64}, {})
    answer = run(model, {"x": words})
    parts = [word.split(delimiter, -1 if limit is None else limit) for word in words]
    width = max(map(len, parts))
    assert answer["y"].tolist() == [row + [""] * (width - len(row)) for row in parts]
    assert answer["n"].tolist() == [len(row) for row in parts]


def test_strings_are_put_together_under_broadcasting() -> None:
    other = np.array([["-"], ["+"]], object)
    assert_texts(one("StringConcat", {"x": TEXTS}, TensorProto.STRING, fixed={"o": other}), TEXTS + other)


def test_a_string_that_doubles_for_ever_ends_at_the_memory_that_is_allowed() -> None:
    nodes = [
        helper.make_node("StringConcat", ["s", "s"], ["t"], name="doubled"),
        helper.make_node("Identity", ["c"], ["d"]),
    ]
    body = helper.make_graph(
        nodes,
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.STRING, [1]),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("t", TensorProto.STRING, [1]),
        ],
    )
    loop = helper.make_node("Loop", ["", "", "x"], ["y"], body=body)
    x = np.array(["0123456789abcdef"], object)
    model = skerry.loads(model_of([loop], {"x": x}, {"y": TensorProto.STRING}, {}))
    assert isinstance(model, skerry.Model)
    with pytest.raises(skerry.BudgetExceeded, match="doubled"):
        model.session(max_memory_mb=64).run({"x": x})


STRING, FLOAT = int(TensorProto.STRING), int(TensorProto.FLOAT)


def tree_attributes() -> dict[str, Any]:
    """One split: x[:, 1] <= 0.25 is `low`, else the leaf of `mid` and `high`."""
    return {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.25, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "class_treeids": [0, 0, 0], "class_nodeids": [1, 2, 2], "class_ids": [0, 1, 2],
        "class_weights": [1.0, 0.25, 0.75], "post_transform": "NONE",
    }  # fmt: skip


def linear_attributes() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "coefficients": rng.normal(size=9).astype(np.float32).tolist(),
        "intercepts": rng.normal(size=3).astype(np.float32).tolist(),
        "post_transform": "SOFTMAX", "multi_class": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("op", "attributes"), [("TreeEnsembleClassifier", tree_attributes()), ("LinearClassifier", linear_attributes())]
)
@pytest.mark.parametrize("labels", [["low", "mid", "high"], [10, 20, 30]])
def test_a_classifier_names_its_classes_as_scikit_learn_exports_it(op: str, attributes: Any, labels: Any) -> None:
    x = np.random.default_rng(1).normal(size=(17, 3)).astype(np.float32)
    texts = isinstance(labels[0], str)
    integers = "classlabels_ints" if op == "LinearClassifier" else "classlabels_int64s"
    own = {"classlabels_strings" if texts else integers: labels}
    zipped = {"classlabels_strings" if texts else "classlabels_int64s": labels}
    nodes = [
        helper.make_node(op, ["x"], ["label", "scores"], domain="ai.onnx.ml", **own, **attributes),
        helper.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml", **zipped),
    ]
    key = TensorProto.STRING if texts else TensorProto.INT64
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(key, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    model = model_of(nodes, {"x": x}, {"label": int(key), "scores": FLOAT, "maps": maps}, {})
    ours = run(model, {"x": x})
    plain = model_of(nodes[:1], {"x": x}, {"label": int(key), "scores": FLOAT}, {})
    label, scores = ReferenceEvaluator(onnx.load_from_string(plain)).run(None, {"x": x})
    assert ours["label"].tolist() == np.asarray(label).tolist()
    np.testing.assert_allclose(ours["scores"], scores, rtol=2e-5, atol=2e-6)
    assert [list(row) for row in ours["maps"]] == [labels] * 17
    np.testing.assert_array_equal([list(row.values()) for row in ours["maps"]], ours["scores"])


@pytest.mark.parametrize(
    ("x", "kind", "attributes", "expected"),
    [
        (
            ["a", "z", "b"],
            TensorProto.INT64,
            {"keys_strings": ["a", "b"], "values_int64s": [5, 6], "default_int64": 9},
            [5, 9, 6],
        ),
        (["a", "z"], TensorProto.STRING, {"keys_strings": ["a"], "values_strings": ["A"]}, ["A", "_Unused"]),
        (["z"], TensorProto.STRING, {"keys_strings": ["a"], "values_strings": ["A"], "default_string": "?"}, ["?"]),
        (["b"], TensorProto.FLOAT, {"keys_strings": ["a", "b"], "values_floats": [1.0, 2.5]}, [2.5]),
        (
            np.array([2, 7], np.int64),
            TensorProto.STRING,
            {"keys_int64s": [1, 2], "values_strings": ["one", "two"]},
            ["two", "_Unused"],
        ),
        (
            np.array([np.nan, 1], np.float32),
            TensorProto.STRING,
            {"keys_floats": [float("nan")], "values_strings": ["none"]},
            ["none", "_Unused"],
        ),
    ],
)
def test_labels_are_encoded_from_and_to_strings(x: Any, kind: int, attributes: Any, expected: Any) -> None:
    array = x if isinstance(x, np.ndarray) else np.array(x, object)
    assert one("LabelEncoder", {"x": array}, kind, "ai.onnx.ml", **attributes).tolist() == expected


def test_categories_are_mapped_both_ways() -> None:
    cats = {"cats_strings": ["cat", "dog"], "cats_int64s": [3, 8]}
    texts, numbers = np.array(["dog", "cow"], object), np.array([3, 4], np.int64)
    assert one("CategoryMapper", {"x": texts}, TensorProto.INT64, "ai.onnx.ml", **cats).tolist() == [8, -1]
    assert one("CategoryMapper", {"x": numbers}, STRING, "ai.onnx.ml", **cats).tolist() == ["cat", "_Unused"]


def test_categories_and_words_of_strings_are_counted() -> None:
    words = np.array([["red", "blue", "red"]], object)
    hot = one("OneHotEncoder", {"x": words}, FLOAT, "ai.onnx.ml", cats_strings=["blue", "red", "tea"])
    assert hot.tolist() == [[[0, 1, 0], [1, 0, 0], [0, 1, 0]]]
    counts = one(
        "TfIdfVectorizer", {"x": words}, FLOAT, mode="TF", min_gram_length=1, max_gram_length=2, max_skip_count=0,
        ngram_counts=[0, 2], ngram_indexes=[0, 1, 2], pool_strings=["red", "tea", "red", "blue"],
    )  # fmt: skip
    assert counts.tolist() == [[2, 0, 1]]


def test_a_package_keeps_strings(tmp_path: Any) -> None:
    nodes = [helper.make_node("Concat", ["x", "w"], ["y"], axis=0)]
    weights = {"w": np.array(["", "é", "long " * 100], object)}
    model = skerry.loads(model_of(nodes, {"x": np.array(["a"], object)}, {"y": STRING}, weights))
    skerry.save(model, tmp_path / "s.skerry")
    again = skerry.load(tmp_path / "s.skerry")
    assert isinstance(again, skerry.Model)
    assert again.session().run({"x": np.array(["a"], object)})["y"].tolist() == ["a", *weights["w"].tolist()]


@pytest.mark.parametrize("op", ["Relu", "Neg", "ReduceSum", "Sort"])
def test_arithmetic_does_not_take_strings(op: str) -> None:
    with pytest.raises((skerry.TypeMismatch, skerry.Unsupported)):
        one(op, {"x": TEXTS}, STRING)
