"""Training for few bits and after pruning: judged on scikit-learn's digits, gradients against NumPy and differences."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.datasets import load_digits

MODELS = Path(__file__).parent.parent / "data" / "models"
Array = NDArray[Any]
SEEN = 1200  # images that are trained on; the others judge


def digits() -> tuple[Array, Array]:
    data = load_digits()
    return (data.data / 16).astype(np.float32), data.target


def perceptron(seed: int = 0, width: int = 32) -> skerry.Model:
    """64 - width - 10, one product with a bias of its own and one with an Add, as exporters write them."""
    rng = np.random.default_rng(seed)
    g = skerry.GraphBuilder("digits")
    x = g.input("x", ["N", 64])
    first = g.constant(rng.normal(0, 1 / 8, (width, 64)).astype(np.float32), name="first")
    second = g.constant(rng.normal(0, width**-0.5, (width, 10)).astype(np.float32), name="second")
    zeros = [g.constant(np.zeros(n, np.float32), f"bias{n}") for n in (width, 10)]
    hidden = g.add("Relu", [g.add("Gemm", [x, first, zeros[0]], name="hidden", transB=1)])
    g.output(g.add("Add", [g.add("MatMul", [hidden, second], name="product"), zeros[1]]), "y")
    return g.build()


def fit(trainer: skerry.QuantizationAwareTrainer, epochs: int, seed: int = 1) -> list[float]:
    images, labels = digits()
    rng, losses = np.random.default_rng(seed), []
    for _ in range(epochs):
        order = rng.permutation(SEEN)
        losses += [trainer.train_step(images[rows], labels[rows]) for rows in order.reshape(-1, 40)]
    return losses


def accuracy(model: skerry.Model) -> float:
    images, labels = digits()
    answers = model.session().run({"x": images[SEEN:]})["y"]
    return float(np.mean(np.asarray(answers).argmax(1) == labels[SEEN:]))


@cache
def trained() -> skerry.Model:
    """The perceptron trained in f32."""
    trainer = skerry.QuantizationAwareTrainer(perceptron(), skerry.QuantConfig(0, 0, learning_rate=5e-3))
    fit(trainer, 12)
    return trainer.model


def test_eight_bits_stay_within_a_point_of_f32() -> None:
    assert accuracy(trained()) > 0.9
    trainer = skerry.QuantizationAwareTrainer(trained(), skerry.QuantConfig(8, 8))
    fit(trainer, 2)
    images, labels = digits()
    made = trainer.export({"x": images[:SEEN]}, judge={"x": images[SEEN:]}, labels=labels[SEEN:])
    assert {layer.weights for layer in made.layers} == {"i8"}
    assert made.score >= accuracy(trained()) - 0.01


@pytest.mark.parametrize(("bits", "weights"), [((8, 8), {"int8"}), ((8, 0), {"int8"}), ((4, 0), {"int4"})])
def test_exported_files_have_the_widths_that_were_asked_for(
    tmp_path: Path, bits: tuple[int, int], weights: set[str]
) -> None:
    images, _ = digits()
    trainer = skerry.QuantizationAwareTrainer(trained(), skerry.QuantConfig(*bits))
    path = tmp_path / "small.onnx"
    skerry.save_onnx(trainer.export({"x": images[:64]}).model, path)
    graph = onnx.load(path).graph
    types = {c.name: TensorProto.DataType.Name(c.data_type).lower() for c in graph.initializer}
    given = [types[n.input[0]] for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in types]
    assert weights <= set(given) <= weights | {"int32"}
    rounded = {types[n.input[2]] for n in graph.node if n.op_type == "QuantizeLinear"}
    assert rounded == ({"uint8"} if bits[1] else set())


def test_training_for_few_bits_gives_what_rounding_alone_loses() -> None:
    config = skerry.QuantConfig(2, 3, learning_rate=2e-3)
    trainer = skerry.make_quantization_aware(trained(), config)
    images, labels = digits()
    before = trainer.compute_loss(images[SEEN:], labels[SEEN:])
    fit(trainer, 6)
    assert trainer.compute_loss(images[SEEN:], labels[SEEN:]) < 0.5 * before


def test_weights_are_the_same_bits_after_the_swap_and_layers_have_names_without_dots() -> None:
    model = perceptron()
    layers = skerry.QuantizationAwareTrainer(model).make_quantization_aware()
    assert list(layers) == ["hidden", "product"]
    rng = np.random.default_rng(0)
    assert np.array_equal(layers["hidden"].weight, rng.normal(0, 1 / 8, (32, 64)).astype(np.float32))
    assert np.array_equal(layers["product"].weight, rng.normal(0, 32**-0.5, (32, 10)).astype(np.float32))
    assert all(layer.bias is not None and layer.weight_bits == 8 for layer in layers.values())
    kept = skerry.QuantizationAwareTrainer(model, skerry.QuantConfig(keep=("hidden",)))
    assert [layer.weight_bits for layer in kept.make_quantization_aware().values()] == [0, 8]


def test_the_loss_falls_over_fifty_steps_of_a_network_of_convolutions_too() -> None:
    images, labels = digits()
    for model, x in ((perceptron(3), images), (skerry.load(MODELS / "digits_cnn.onnx"), images.reshape(-1, 1, 8, 8))):
        assert isinstance(model, skerry.Model)
        fresh = skerry.QuantizationAwareTrainer(model, skerry.QuantConfig(learning_rate=3e-3))
        start = {name: layer.weight.copy() for name, layer in fresh.layers.items()}
        rows = [slice(32 * (i % 30), 32 * (i % 30) + 32) for i in range(50)]
        losses = [fresh.train_step(x[part], labels[part]) for part in rows]
        assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
        assert all(not np.array_equal(layer.weight, start[name]) for name, layer in fresh.layers.items())


def test_a_step_without_rounding_is_adams_on_gradients_by_hand() -> None:
    rng = np.random.default_rng(5)
    weight: Array = rng.normal(size=(3, 2)).astype(np.float32)
    g = skerry.GraphBuilder()
    g.output(g.add("Gemm", [g.input("x", ["N", 2]), g.constant(weight, "w")], name="layer", transB=1), "y")
    config = skerry.QuantConfig(0, 0, "mean_squared", learning_rate=0.01)
    trainer = skerry.QuantizationAwareTrainer(g.build(), config)
    x, wanted = rng.normal(size=(4, 2)).astype(np.float32), rng.normal(size=(4, 3)).astype(np.float32)
    first, second = np.zeros((3, 2)), np.zeros((3, 2))
    for step in range(1, 4):
        error = x @ weight.T - wanted
        assert trainer.train_step(x, wanted) == pytest.approx(np.mean(error**2), rel=1e-5)
        slope = 2 * error.T @ x / error.size
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        weight = weight - 0.01 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        np.testing.assert_allclose(trainer.layers["layer"].weight, weight, atol=2e-6)


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 12, 16])
@pytest.mark.parametrize("symmetric", [False, True])
def test_rounding_has_as_many_levels_as_bits_give(bits: int, symmetric: bool) -> None:
    quantize = skerry.FakeQuantize.with_bits(bits, symmetric=symmetric)
    x = np.random.default_rng(bits).normal(0.3, 2, 5000).astype(np.float32)
    y = quantize(x)
    assert len(np.unique(y)) <= 2**bits
    assert len(np.unique(y)) > min(2**bits, 1000) // 3
    scale = float(quantize.scale)
    assert np.abs(x - y).max() <= 0.51 * scale + 1e-5 * np.abs(x).max()
    assert quantize([0.0]).item() == 0.0
    np.testing.assert_array_equal(quantize(y), y)


def test_gradients_pass_inside_the_range_and_not_outside() -> None:
    quantize = skerry.FakeQuantize.with_bits(4)
    quantize.observe([-1.0, 2.0])
    x = [-1.5, -1.0, -0.3, 0, 1.1, 2.0, 2.5]
    np.testing.assert_array_equal(quantize.vjp(x, np.arange(1, 8)), [0, 2, 3, 4, 5, 6, 0])
    for wrong in (1, 17):
        with pytest.raises(skerry.InvalidArgument, match="2 to 16"):
            skerry.FakeQuantize.with_bits(wrong)
    with pytest.raises(skerry.InvalidArgument, match="no range"):
        _ = skerry.FakeQuantize.with_bits(8).scale


@pytest.mark.parametrize("bias", [True, False])
def test_a_rounding_layer_is_the_product_of_what_was_rounded(bias: bool) -> None:
    rng = np.random.default_rng(6)
    layer = skerry.QuantizationAwareLinear(5, 3, weight_bits=4, activation_bits=6, bias=bias, seed=2)
    assert (layer.bias is not None) == bias
    assert [part.bits for part in layer.fake_quant_modules] == [4, 6]
    x, cotangent = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32)
    y = layer(x)
    weight, inputs = layer.weight_quant(layer.weight), layer.activation_quant(x)
    assert all(len(np.unique(row)) <= 15 for row in weight)
    np.testing.assert_allclose(y, inputs @ weight.T + (0 if layer.bias is None else layer.bias), atol=1e-5)
    found = layer.vjp(x, cotangent)
    np.testing.assert_allclose(found["weight"], cotangent.T @ inputs, atol=1e-5)  # all weights are in their range
    np.testing.assert_allclose(found["x"], cotangent @ weight, atol=1e-5)
    assert set(found) == ({"x", "weight", "bias"} if bias else {"x", "weight"})
    if bias:
        np.testing.assert_allclose(found["bias"], cotangent.sum(0), atol=1e-5)
    far = 10 * np.abs(x).max() * np.ones((1, 5), np.float32)
    assert not layer.vjp(far, cotangent[:1])["x"].any()


def test_pruning_goes_through_its_steps_in_order_and_training_gets_accuracy_back() -> None:
    images, labels = digits()
    config = skerry.PruningConfig(prune_ratio=0.5, importance_threshold=0.4, fine_tune_epochs=4, learning_rate=3e-3)
    pruner = skerry.ModelPruner(trained(), config)
    data = {"data": images[:SEEN], "targets": labels[:SEEN], "judge": images[SEEN:], "labels": labels[SEEN:]}
    report = pruner.prune_model(**data)
    assert report.score_before == pytest.approx(accuracy(trained()))
    assert report.score == pytest.approx(accuracy(report.model))
    assert report.sparsity >= 0.5
    assert report.score >= report.score_pruned
    assert report.score >= report.score_before - 0.02
    assert len(report.losses) == 4 * (SEEN // config.batch_size)
    assert report.model is pruner.model


def test_zeros_are_still_zero_after_training_and_the_mask_says_what_is_left() -> None:
    images, labels = digits()
    pruner = skerry.ModelPruner(trained(), skerry.PruningConfig(prune_ratio=0.7, fine_tune_epochs=1))
    pruner.magnitude_pruning()
    assert pruner.sparsity == pytest.approx(0.7, abs=0.01)
    before = {one.name: one for one in pruner.get_pruned_parameters()}
    assert pruner.fine_tune_pruned_model(images[:SEEN], labels[:SEEN])
    after = {one.name: one for one in pruner.get_pruned_parameters()}
    assert list(before) == list(after) == ["first", "bias32", "second", "bias10"]
    for name, one in after.items():
        mask = before[name].mask
        assert np.array_equal(mask, before[name].values != 0) or name.startswith("bias")
        assert not one.values[~mask].any()
        moved = one.values[mask] != before[name].values[mask]
        # A weight of a pixel that is always dark has no gradient.
        assert moved.mean() > 0.5
    assert pruner.sparsity >= 0.69


def residual() -> skerry.Model:
    """Two convolutions that meet in a sum, and a third that reads it."""
    rng = np.random.default_rng(3)
    g = skerry.GraphBuilder()
    x = g.input("x", ["N", 3, 4, 4])
    shapes = {"a": (12, 3, 1, 1), "b": (12, 12, 1, 1), "c": (4, 12, 1, 1)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    arrays["a"][[1, 4]] *= 1e-3
    arrays["b"][[1, 4]] *= 1e-3
    weights = {name: g.constant(array, name) for name, array in arrays.items()}
    first = g.add("Relu", [g.add("Conv", [x, weights["a"]], name="first")])
    total = g.add("Add", [g.add("Conv", [first, weights["b"]], name="second"), first])
    g.output(g.add("Conv", [total, weights["c"]], name="third"), "y")
    return g.build()


def test_dependencies_are_followed_through_a_sum_and_unimportant_channels_leave_on_all_sides() -> None:
    model = residual()
    pruner = skerry.ModelPruner(model, skerry.PruningConfig(importance_threshold=0.01))
    (group,) = pruner.analyze_dependencies()
    assert group.channels == 12
    assert sorted(group.layers) == ["first", "second"]
    assert group.users == ["third"]
    assert np.mean(group.importance) == pytest.approx(1)
    assert sorted(np.argsort(group.importance)[:2]) == [1, 4]
    pruned = pruner.dependency_pruning()
    assert {(layer.before, layer.left) for layer in pruned.layers} == {(12, 10)}
    shapes = {one.name: one.values.shape for one in pruner.get_pruned_parameters()}
    assert shapes == {"a": (10, 3, 1, 1), "b": (10, 10, 1, 1), "c": (4, 10, 1, 1)}
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    wanted, found = (np.asarray(one.session().run({"x": x})["y"]) for one in (model, pruner.model))
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())
    pruner.prune_layer("first", 0.5)
    assert {one.name: one.values.shape for one in pruner.get_pruned_parameters()}["b"] == (5, 5, 1, 1)
    with pytest.raises(skerry.InvalidArgument, match="channels of 'third' cannot leave"):
        pruner.prune_layer("third", 0.5)


def concatenated(dead: dict[str, list[int]]) -> skerry.Model:
    """Two convolutions side by side, a normalisation and a convolution that read both, and a dense layer behind it all.

    The channels of each convolution that `dead` lists are zero whatever comes in.
    """
    rng = np.random.default_rng(4)
    shapes = {"a": (6, 3, 1, 1), "b": (10, 3, 3, 3), "c": (4, 16, 1, 1), "d": (20 * 16, 5)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    norm = [rng.uniform(0.5, 2, 16).astype(np.float32) for _ in range(4)]
    for name, begin in (("a", 0), ("b", 6)):
        arrays[name][dead[name]] = 0
        for values in norm[1:3]:
            values[begin + np.array(dead[name])] = 0
    g = skerry.GraphBuilder()
    x = g.input("x", ["N", 3, 4, 4])
    weights = {name: g.constant(array, name) for name, array in arrays.items()}
    first = g.add("Relu", [g.add("Conv", [x, weights["a"]], name="first")])
    second = g.add("Conv", [x, weights["b"]], name="second", pads=[1, 1, 1, 1])
    both = g.add("Tanh", [g.add("Concat", [first, second], axis=1)])
    both = g.add("BatchNormalization", [both, *(g.constant(values) for values in norm)])
    third = g.add("Conv", [both, weights["c"]], name="third")
    everything = g.add("Concat", [both, third], axis=-3)
    rows = g.add("Reshape", [everything, g.constant(np.array([-1, 20 * 16]))])
    g.output(g.add("MatMul", [rows, weights["d"]]), "y")
    return g.build()


def test_channels_leave_from_behind_concatenations_too() -> None:
    model = concatenated({"a": [0, 5], "b": [3, 4, 9]})
    pruner = skerry.ModelPruner(model, skerry.PruningConfig(importance_threshold=1e-6))
    groups = {group.layers[0]: group for group in pruner.analyze_dependencies()}
    assert {name: group.channels for name, group in groups.items()} == {"first": 6, "second": 10, "third": 4}
    assert "third" in groups["first"].users
    pruned = pruner.dependency_pruning()
    assert {(layer.node, layer.before, layer.left) for layer in pruned.layers} == {
        ("first", 6, 4),
        ("second", 10, 7),
        ("third", 4, 4),
    }
    shapes = {one.name: one.values.shape for one in pruner.get_pruned_parameters()}
    assert shapes == {"a": (4, 3, 1, 1), "b": (7, 3, 3, 3), "c": (4, 11, 1, 1), "d": (15 * 16, 5)}
    x = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
    wanted, found = (np.asarray(one.session().run({"x": x})["y"]) for one in (model, pruner.model))
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
    half = skerry.prune(model, 0.5, structured=True, keep=["first"])
    assert np.asarray(half.model.session().run({"x": x})["y"]).shape == (3, 5)


def test_what_cannot_be_trained_is_refused_with_a_reason() -> None:
    images, labels = digits()
    trainer = skerry.QuantizationAwareTrainer(perceptron())
    cases: list[tuple[type[skerry.Error], str, Any]] = [
        (skerry.InvalidArgument, "label 11 of 10", lambda: trainer.train_step(images[:2], [3, 11])),
        (skerry.InvalidArgument, "bits", lambda: skerry.make_quantization_aware(perceptron(), skerry.QuantConfig(1))),
        (skerry.InvalidArgument, "no layer", lambda: skerry.make_quantization_aware(
            perceptron(), skerry.QuantConfig(keep=("nobody",)))),
        (skerry.InvalidArgument, "rate", lambda: skerry.make_quantization_aware(
            perceptron(), skerry.QuantConfig(learning_rate=-1.0))),
        (skerry.Unsupported, "no format has", lambda: skerry.QuantizationAwareTrainer(
            perceptron(), skerry.QuantConfig(5, 5)).export({"x": images[:64]})),
        (skerry.InvalidArgument, "epochs of training without data", lambda: skerry.ModelPruner(
            perceptron(), skerry.PruningConfig(fine_tune_epochs=1)).prune_model()),
    ]  # fmt: skip
    for error, text, call in cases:
        with pytest.raises(error, match=text):
            call()
    for rows in (1, 2, 4):
        with pytest.raises(skerry.TypeMismatch, match="for 3 rows"):
            trainer.train_step(images[:3], labels[:rows])
    squared = skerry.QuantizationAwareTrainer(perceptron(), skerry.QuantConfig(loss="mean_squared"))
    with pytest.raises(skerry.TypeMismatch, match="the first output is"):
        squared.compute_loss(images[:3], np.zeros((3, 1)))
    g = skerry.GraphBuilder()
    g.output(g.add("Relu", [g.input("x", [3])]), "y")
    with pytest.raises(skerry.Unsupported, match="no convolution or product"):
        skerry.make_quantization_aware(g.build())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prune_ratio", 1.0),
        ("prune_ratio", -0.1),
        ("prune_ratio", float("nan")),
        ("channel_ratio", 1.5),
        ("importance_threshold", -1.0),
        ("fine_tune_epochs", -1),
        ("fine_tune_epochs", 1.5),
        ("batch_size", 0),
        ("seed", -1),
        ("learning_rate", 0.0),
        ("learning_rate", "fast"),
        ("loss", "hinge"),
    ],
)
def test_nonsense_for_a_pruner_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(skerry.InvalidArgument, match=field) as raised:
        skerry.PruningConfig(**{field: value})
    assert raised.value.where == field
    assert raised.value.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight_bits", 1),
        ("weight_bits", -8),
        ("activation_bits", 17),
        ("activation_bits", 7.5),
        ("learning_rate", float("inf")),
        ("learning_rate", -1e-3),
        ("loss", "banana"),
    ],
)
def test_nonsense_for_a_trainer_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(skerry.InvalidArgument, match=field) as raised:
        skerry.QuantConfig(**{field: value})
    assert raised.value.where == field


def test_labels_with_fractions_are_refused() -> None:
    trainer = skerry.QuantizationAwareTrainer(perceptron())
    with pytest.raises(skerry.InvalidArgument, match="targets"):
        trainer.compute_loss(np.zeros((2, 64), np.float32), [0.5, 1.0])
    assert trainer.compute_loss(np.zeros((2, 64), np.float32), [0.0, 1.0]) > 0
