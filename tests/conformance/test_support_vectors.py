"""SVMClassifier and SVMRegressor against ONNX's reference evaluator, ONNX Runtime and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import skerry
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from sklearn.svm import SVC, SVR

Array = np.ndarray[Any, Any]
FEATURES = 4
KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")
CLASSIFIER = {"label": TensorProto.INT64, "scores": TensorProto.FLOAT}


def model_of(op: str, outputs: dict[str, int], x: Array, attributes: dict[str, Any]) -> onnx.ModelProto:
    node = helper.make_node(op, ["x"], list(outputs), name="machine", domain="ai.onnx.ml", **attributes)
    shape = ["N", *x.shape[1:]] if x.ndim == 2 else [None]
    graph = helper.make_graph(
        [node],
        op,
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), shape)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def ours(model: onnx.ModelProto, x: Array) -> list[Any]:
    loaded = skerry.loads(model.SerializeToString())
    assert isinstance(loaded, skerry.Model)
    return list(loaded.session().run({"x": x}).values())


def by_runtime(model: onnx.ModelProto, x: Array) -> list[Any]:
    return list(onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x}))


def by_reference(model: onnx.ModelProto, x: Array) -> list[Any]:
    return list(ReferenceEvaluator(model).run(None, {"x": x}))


def floats(values: Array) -> list[float]:
    return [float(value) for value in np.asarray(values, np.float32).reshape(-1)]


def pairs(classes: int, kernel: str, coupled: bool = False, **more: Any) -> dict[str, Any]:
    """A random machine for each pair of classes."""
    rng = np.random.default_rng(classes)
    per_class = [3 + i for i in range(classes)]
    vectors, count = sum(per_class), classes * (classes - 1) // 2
    out: dict[str, Any] = {
        "coefficients": floats(rng.normal(size=(classes - 1) * vectors)),
        "support_vectors": floats(rng.normal(size=vectors * FEATURES)),
        "vectors_per_class": per_class,
        "rho": floats(rng.normal(size=count)),
        "kernel_type": kernel,
        "kernel_params": [0.3, 0.2, 2.0],
        "classlabels_ints": [10 * (k + 1) for k in range(classes)],
    }
    if coupled:
        out |= {"prob_a": floats(-abs(rng.normal(size=count))), "prob_b": floats(rng.normal(size=count))}
    return out | more


def weights(classes: int, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(classes)
    return {
        "coefficients": floats(rng.normal(size=classes * FEATURES)),
        "rho": floats(rng.normal(size=classes)),
        "kernel_params": [0.0, 0.0, 0.0],
        "classlabels_ints": [10 * (k + 1) for k in range(classes)],
    } | more


def rows(count: int = 9) -> Array:
    return np.random.default_rng(0).normal(size=(count, FEATURES)).astype(np.float32)


def assert_same(found: list[Any], wanted: list[Any]) -> None:
    assert found[0].tolist() == np.asarray(wanted[0]).tolist()
    assert found[1].dtype == np.float32
    assert found[1].shape == wanted[1].shape
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("coupled", [False, True], ids=["votes", "probabilities"])
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("kernel", KERNELS)
def test_pairs_of_classes_vote_as_onnx_runtime_says(kernel: str, classes: int, coupled: bool) -> None:
    model = model_of("SVMClassifier", CLASSIFIER, rows(), pairs(classes, kernel, coupled))
    found = ours(model, rows())
    assert_same(found, by_runtime(model, rows()))
    if not coupled or classes == 2:  # the reference multiplies the probabilities of more pairs in another way
        assert_same(found, by_reference(model, rows()))
    if coupled:
        np.testing.assert_allclose(found[1].sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("transform", ["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"])
@pytest.mark.parametrize(("classes", "coupled"), [(2, True), (2, False), (3, False)])
def test_scores_are_transformed_as_the_reference_does(classes: int, coupled: bool, transform: str) -> None:
    if transform == "PROBIT" and not coupled:
        pytest.skip("the inverse of erf wants probabilities")
    model = model_of("SVMClassifier", CLASSIFIER, rows(), pairs(classes, "RBF", coupled, post_transform=transform))
    assert_same(ours(model, rows()), by_reference(model, rows()))


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_weights_without_support_vectors_choose_the_largest_score(transform: str) -> None:
    model = model_of("SVMClassifier", CLASSIFIER, rows(), weights(3, post_transform=transform))
    found = ours(model, rows())
    assert_same(found, by_reference(model, rows()))
    assert_same(found, by_runtime(model, rows()))


def test_labels_may_be_strings() -> None:
    named = {k: v for k, v in pairs(3, "RBF").items() if k != "classlabels_ints"}
    named["classlabels_strings"] = ["ash", "birch", "cedar"]
    model = model_of("SVMClassifier", CLASSIFIER | {"label": TensorProto.STRING}, rows(), named)
    assert_same(ours(model, rows()), by_runtime(model, rows()))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.int32])
def test_other_numbers_than_floats_are_taken(dtype: Any) -> None:
    x = (3 * rows()).astype(dtype)
    model = model_of("SVMClassifier", CLASSIFIER, x, pairs(3, "RBF", True))
    assert_same(ours(model, x), by_runtime(model, x))


@pytest.mark.parametrize("x", [rows()[0], rows()[:0]], ids=["a vector is a row", "no rows"])
def test_one_row_and_none(x: Array) -> None:
    model = model_of("SVMClassifier", CLASSIFIER, x, pairs(3, "RBF", True))
    assert_same(ours(model, x), by_runtime(model, x))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(classes)
    label = rng.integers(classes, size=60)
    x = (rng.normal(size=(60, FEATURES)) + label[:, None]).astype(np.float32)
    machine = SVC(kernel="rbf", gamma=0.2, decision_function_shape="ovo", random_state=0).fit(x, label)
    sign = 1.0 if classes > 2 else -1.0  # scikit-learn turns the sign of two classes
    attributes = {
        "coefficients": floats(sign * machine.dual_coef_),
        "support_vectors": floats(machine.support_vectors_),
        "vectors_per_class": [int(n) for n in machine.n_support_],
        "rho": floats(sign * machine.intercept_),
        "kernel_type": "RBF",
        "kernel_params": [0.2, 0.0, 3.0],
        "classlabels_ints": list(range(classes)),
    }
    found = ours(model_of("SVMClassifier", CLASSIFIER, x, attributes), x)
    assert found[0].tolist() == machine.predict(x).tolist()
    decided = machine.decision_function(x)
    scores = found[1] if classes > 2 else -found[1][:, 1]
    np.testing.assert_allclose(scores, decided, rtol=1e-4, atol=1e-4)


def regression(kernel: str, vectors: int, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    out = {
        "coefficients": floats(rng.normal(size=vectors or FEATURES)),
        "rho": [0.3],
        "kernel_type": kernel,
        "kernel_params": [0.3, 0.2, 3.0],
        "n_supports": vectors,
    }
    if vectors:
        out["support_vectors"] = floats(rng.normal(size=vectors * FEATURES))
    return out | more


@pytest.mark.parametrize("one_class", [0, 1])
@pytest.mark.parametrize("vectors", [0, 5])
@pytest.mark.parametrize("kernel", KERNELS)
def test_regression_is_that_of_the_reference_and_of_onnx_runtime(kernel: str, vectors: int, one_class: int) -> None:
    model = model_of("SVMRegressor", {"y": TensorProto.FLOAT}, rows(), regression(kernel, vectors, one_class=one_class))
    (found,) = ours(model, rows())
    np.testing.assert_allclose(found, by_reference(model, rows())[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, by_runtime(model, rows())[0], rtol=1e-4, atol=1e-5)


def test_a_regression_of_scikit_learn_may_be_transformed() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, FEATURES)).astype(np.float32), rng.normal(size=40)
    machine = SVR(kernel="poly", gamma=0.5, coef0=1.0, degree=2).fit(x, y)
    attributes = {
        "coefficients": floats(machine.dual_coef_),
        "support_vectors": floats(machine.support_vectors_),
        "n_supports": len(machine.support_),
        "rho": floats(machine.intercept_),
        "kernel_type": "POLY",
        "kernel_params": [0.5, 1.0, 2.0],
    }
    for transform, wanted in {"NONE": machine.predict(x), "LOGISTIC": 1 / (1 + np.exp(-machine.predict(x)))}.items():
        model = model_of("SVMRegressor", {"y": TensorProto.FLOAT}, x, attributes | {"post_transform": transform})
        np.testing.assert_allclose(ours(model, x)[0][:, 0], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("op", "attributes", "told"),
    [
        ("SVMClassifier", pairs(3, "CUBIC"), "kernel_type is none of"),
        ("SVMClassifier", pairs(3, "RBF", kernel_params=[1.0]), "kernel_params has 1 numbers, not 3"),
        ("SVMClassifier", pairs(3, "RBF", rho=[0.5]), "rho has 1 numbers, not 3"),
        ("SVMClassifier", pairs(3, "RBF", coefficients=[1.0]), "coefficients has 1 numbers"),
        ("SVMClassifier", pairs(3, "RBF", support_vectors=[1.0]), "1 numbers for 12 vectors"),
        ("SVMClassifier", pairs(3, "RBF", vectors_per_class=[12]), "vectors_per_class has 1"),
        ("SVMClassifier", pairs(3, "RBF", vectors_per_class=[3, 4, -1]), "vectors_per_class has -1"),
        ("SVMClassifier", pairs(3, "RBF", vectors_per_class=[2**62, 2**62, 2**62]), "vectors_per_class has"),
        ("SVMClassifier", pairs(3, "RBF", True, prob_b=[1.0]), "prob_b has 1 numbers, not 3"),
        ("SVMClassifier", pairs(3, "RBF", True, prob_a=[1.0]), "prob_a has 1 numbers, not 3"),
        ("SVMClassifier", pairs(3, "RBF", post_transform="LOG"), "post_transform is 'LOG'"),
        ("SVMClassifier", pairs(3, "RBF", classlabels_ints=[]), "labels"),
        ("SVMClassifier", weights(3, coefficients=[1.0]), "1 numbers for 3 vectors"),
        ("SVMClassifier", weights(3, rho=[]), "rho"),
        ("SVMRegressor", regression("RBF", 5, n_supports=-1), "n_supports is -1"),
        ("SVMRegressor", regression("RBF", 5, n_supports=2**40), "coefficients has 5 numbers"),
        ("SVMRegressor", regression("RBF", 5, n_supports=4), "coefficients has 5 numbers, not 4"),
        ("SVMRegressor", regression("RBF", 5, rho=[]), "rho"),
        ("SVMRegressor", regression("RBF", 0, coefficients=[1.0]), "rows have 4 features"),
    ],
)
def test_attributes_that_do_not_fit_are_refused_at_the_node(op: str, attributes: dict[str, Any], told: str) -> None:
    attributes = {name: value for name, value in attributes.items() if value != []}
    outputs = CLASSIFIER if op == "SVMClassifier" else {"y": int(TensorProto.FLOAT)}
    with pytest.raises(skerry.TypeMismatch, match=told) as refused:
        ours(model_of(op, outputs, rows(), attributes), rows())
    assert "machine" in str(refused.value)


def test_rows_of_other_features_are_refused() -> None:
    x = np.zeros((2, FEATURES + 1), np.float32)
    with pytest.raises(skerry.TypeMismatch, match=r"rows have 5 features, the machine was made for 4"):
        ours(model_of("SVMClassifier", CLASSIFIER, x, pairs(3, "RBF")), x)
