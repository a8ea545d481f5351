"""Operators of ai.onnx.ml as scikit-learn's exporters write them, against ONNX's reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from onnx.reference import ReferenceEvaluator

Attributes = dict[str, Any]
FEATURES = 5


def model_of(op: str, outputs: list[tuple[str, int]], x: np.ndarray[Any, Any], attributes: Attributes) -> bytes:
    """One node over x with an unknown number of rows."""
    node = onnx.helper.make_node(op, ["x"], [name for name, _ in outputs], domain="ai.onnx.ml", **attributes)
    dtype = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = onnx.helper.make_graph(
        [node], op,
        [onnx.helper.make_tensor_value_info("x", dtype, ["N", *x.shape[1:]])],
        [onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
    )  # fmt: skip
    version = 5 if op == "TreeEnsemble" else 3
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("ai.onnx.ml", version)]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def run(model: bytes, x: np.ndarray[Any, Any]) -> dict[str, Any]:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return dict(loaded.session().run({"x": x}))


def agrees(op: str, outputs: list[tuple[str, int]], x: np.ndarray[Any, Any], **attributes: Any) -> dict[str, Any]:
    model = model_of(op, outputs, x, attributes)
    ours = run(model, x)
    theirs = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"x": x})
    for (name, _), expected in zip(outputs, theirs, strict=True):
        np.testing.assert_allclose(ours[name], expected, rtol=2e-5, atol=2e-5, err_msg=f"{op} {name}")
        assert ours[name].shape == expected.shape
    return ours


class Forest:
    """Random trees in the attributes of the first versions; leaves have the weights."""

    MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")

    def __init__(self, seed: int, trees: int, depth: int, targets: int, prefix: str, one_target: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.prefix, self.targets, self.one_target = prefix, targets, one_target
        names = ["treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
                 "missing_value_tracks_true"]  # fmt: skip
        self.nodes: dict[str, list[Any]] = {f"nodes_{name}": [] for name in names}
        own = ("treeids", "nodeids", "ids", "weights")
        self.leaves: dict[str, list[Any]] = {f"{prefix}_{name}": [] for name in own}
        for tree in range(trees):
            self.number = 0
            self.grow(tree, depth)

    def grow(self, tree: int, depth: int) -> int:
        own, self.number = self.number, self.number + 1
        row = len(self.nodes["nodes_treeids"])
        is_leaf = depth == 0 or (own > 0 and self.rng.random() < 0.2)
        values = [tree, own, int(self.rng.integers(FEATURES)), float(np.float32(self.rng.normal())),
                  "LEAF" if is_leaf else str(self.rng.choice(self.MODES)), 0, 0, int(self.rng.integers(2))]  # fmt: skip
        for name, value in zip(self.nodes, values, strict=True):
            self.nodes[name].append(value)
        if is_leaf:
            target = 0 if self.one_target else int(self.rng.integers(self.targets))
            weight = float(np.float32(self.rng.normal()))
            for name, value in zip(self.leaves, [tree, own, target, weight], strict=True):
                self.leaves[name].append(value)
        else:
            self.nodes["nodes_truenodeids"][row] = self.grow(tree, depth - 1)
            self.nodes["nodes_falsenodeids"][row] = self.grow(tree, depth - 1)
        return own

    def attributes(self) -> Attributes:
        return {**self.nodes, **self.leaves}


def rows(seed: int = 1, count: int = 64) -> np.ndarray[Any, Any]:
    x = np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float32)
    x[::7, 1] = np.nan
    return x


I64, F32 = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
CLASSIFIER = [("label", I64), ("scores", F32)]


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_forest_classifies_as_the_reference_does(classes: int, transform: str) -> None:
    forest = Forest(classes, 6, 4, classes, "class")
    labels = [10 * (k + 1) for k in range(classes)]
    answer = agrees(
        "TreeEnsembleClassifier", CLASSIFIER, rows(), **forest.attributes(), classlabels_int64s=labels,
        post_transform=transform,
    )  # fmt: skip
    assert set(answer["label"].tolist()) <= set(labels)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_trees_of_one_class_give_the_other_as_well(transform: str) -> None:
    forest = Forest(5, 4, 3, 1, "class", one_target=True)
    agrees(
        "TreeEnsembleClassifier", CLASSIFIER, rows(), **forest.attributes(), classlabels_int64s=[0, 1],
        post_transform=transform, base_values=[0.25, 0.25],
    )  # fmt: skip


# Of several targets the reference takes one that no leaf speaks of for 0, the least and the largest alike.
@pytest.mark.parametrize(
    ("targets", "aggregate"), [(1, "SUM"), (1, "AVERAGE"), (1, "MIN"), (1, "MAX"), (3, "SUM"), (3, "AVERAGE")]
)
def test_a_forest_regresses_as_the_reference_does(targets: int, aggregate: str) -> None:
    forest = Forest(11, 5, 4, targets, "target", one_target=targets == 1)
    agrees(
        "TreeEnsembleRegressor", [("y", F32)], rows(), **forest.attributes(), n_targets=targets,
        aggregate_function=aggregate,
    )  # fmt: skip


@pytest.mark.parametrize(
    "break_it",
    [
        lambda f: f.nodes["nodes_truenodeids"].__setitem__(0, 0),  # back to the root
        lambda f: f.nodes["nodes_falsenodeids"].__setitem__(0, 999),
        lambda f: f.nodes["nodes_featureids"].__setitem__(0, 77),
        lambda f: f.nodes["nodes_featureids"].__setitem__(0, -1),
        lambda f: f.nodes["nodes_modes"].__setitem__(0, "BRANCH_ALMOST"),
        lambda f: f.nodes["nodes_values"].pop(),
        lambda f: f.leaves["class_ids"].__setitem__(0, 9),
        lambda f: f.leaves["class_nodeids"].__setitem__(0, 999),
    ],
)
def test_a_broken_forest_is_refused(break_it: Any) -> None:
    forest = Forest(2, 1, 3, 3, "class")
    break_it(forest)
    with pytest.raises((skerry.TypeMismatch, skerry.OutOfRange)):
        attributes = forest.attributes() | {"classlabels_int64s": [0, 1, 2]}
        run(model_of("TreeEnsembleClassifier", CLASSIFIER, rows(), attributes), rows())


def test_labels_that_are_strings_are_those_of_the_same_forest_with_integers() -> None:
    forest, outputs = Forest(2, 1, 2, 2, "class"), [("label", int(onnx.TensorProto.STRING)), ("scores", F32)]
    named = model_of(
        "TreeEnsembleClassifier", outputs, rows(), forest.attributes() | {"classlabels_strings": ["no", "yes"]}
    )
    numbered = model_of(
        "TreeEnsembleClassifier", CLASSIFIER, rows(), forest.attributes() | {"classlabels_int64s": [0, 1]}
    )
    chosen = run(numbered, rows())["label"]
    assert run(named, rows())["label"].tolist() == [["no", "yes"][label] for label in chosen]
    with pytest.raises(skerry.TypeMismatch, match="label"):
        run(
            model_of(
                "TreeEnsembleClassifier", CLASSIFIER, rows(), forest.attributes() | {"classlabels_strings": ["a", "b"]}
            ),
            rows(),
        )


def numbers(count: int, seed: int = 3) -> list[float]:
    return [float(np.float32(value)) for value in np.random.default_rng(seed).normal(size=count)]


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"])
def test_a_linear_classifier_of_three_classes(transform: str) -> None:
    x = 0.05 * rows()[1:7] + 0.1  # the inverse of erf wants probabilities
    agrees(
        "LinearClassifier", CLASSIFIER, x, coefficients=[0.1 * abs(v) for v in numbers(3 * FEATURES)],
        intercepts=[0.3, 0.4, 0.2], classlabels_ints=[3, 1, 2], post_transform=transform,
    )  # fmt: skip


def test_a_logistic_regression_of_two_classes() -> None:
    x = rows()[1:7]
    agrees(
        "LinearClassifier", CLASSIFIER, x, coefficients=numbers(FEATURES), intercepts=[0.1], classlabels_ints=[0, 1],
        post_transform="LOGISTIC",
    )  # fmt: skip


def test_linear_regression() -> None:
    x = rows()[1:7]
    agrees("LinearRegressor", [("y", F32)], x, coefficients=numbers(2 * FEATURES), intercepts=[0.5, -1.0], targets=2,
           post_transform="NONE")  # fmt: skip


def test_what_prepares_features() -> None:
    x = rows()
    finite = x[1:7]
    y = [("y", F32)]
    agrees("Scaler", y, x, offset=numbers(FEATURES), scale=numbers(FEATURES, 4))
    agrees("Scaler", y, x, offset=[0.5], scale=[2.0])
    for norm in ("MAX", "L1", "L2"):
        agrees("Normalizer", y, finite, norm=norm)
    agrees("Imputer", y, x, imputed_value_floats=numbers(FEATURES), replaced_value_float=float("nan"))
    whole = np.arange(12, dtype=np.int64).reshape(4, 3) % 5
    agrees("Imputer", [("y", I64)], whole, imputed_value_int64s=[9], replaced_value_int64=2)
    agrees("Binarizer", y, finite, threshold=0.25)
    agrees("OneHotEncoder", y, whole, cats_int64s=[4, 0, 2], zeros=1)
    agrees("LabelEncoder", y, whole, keys_int64s=[0, 1, 3], values_floats=[1.5, -2.0, 0.25], default_float=7.0)
    agrees("LabelEncoder", [("y", I64)], np.round(finite), keys_floats=[-1.0, 0.0, 1.0], values_int64s=[5, 6, 7],
           default_int64=-9)  # fmt: skip


def test_a_pipeline_as_scikit_learn_exports_it_runs_as_a_whole() -> None:
    x = rows(9, 33)
    forest = Forest(8, 10, 5, 3, "class")
    nodes = [
        onnx.helper.make_node("Imputer", ["x"], ["filled"], domain="ai.onnx.ml", imputed_value_floats=[0.0],
                              replaced_value_float=float("nan")),
        onnx.helper.make_node("Scaler", ["filled"], ["scaled"], domain="ai.onnx.ml", offset=numbers(FEATURES),
                              scale=[1.5]),
        onnx.helper.make_node("TreeEnsembleClassifier", ["scaled"], ["label", "scores"], domain="ai.onnx.ml",
                              classlabels_int64s=[0, 1, 2], post_transform="SOFTMAX", **forest.attributes()),
    ]  # fmt: skip
    graph = onnx.helper.make_graph(
        nodes, "pipeline", [onnx.helper.make_tensor_value_info("x", F32, [None, FEATURES])],
        [onnx.helper.make_tensor_value_info("label", I64, [None]),
         onnx.helper.make_tensor_value_info("scores", F32, [None, 3])],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    ours = run(model.SerializeToString(), x)
    label, scores = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(ours["label"], label)
    np.testing.assert_allclose(ours["scores"], scores, rtol=1e-5, atol=1e-6)
