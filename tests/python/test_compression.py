"""Quantising and pruning: judged on scikit-learn's digits, run by ONNX Runtime too, and exact where theory says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

MODELS = Path(__file__).parent.parent / "data" / "models"
Array = NDArray[Any]


def digits() -> tuple[Array, Array]:
    """All images [n, 1, 8, 8] in 0..1 and their labels."""
    data = load_digits()
    return (data.images[:, None] / 16).astype(np.float32), data.target


def classifier() -> skerry.Model:
    model = skerry.load(MODELS / "digits_cnn.onnx")
    assert isinstance(model, skerry.Model)
    return model


def by_ort(path: Path, inputs: dict[str, Array]) -> Array:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, inputs)[0])


def answers(model: skerry.Model, inputs: dict[str, Array]) -> Array:
    return np.asarray(next(iter(model.session().run(inputs).values())))


@pytest.mark.parametrize(
    ("kind", "calibration", "lost", "size"),
    [
        ("int8", "min-max", 0.005, 0.40),
        ("int8", "percentile", 0.005, 0.40),
        ("int8", "entropy", 0.005, 0.40),
        ("int8", "mse", 0.005, 0.40),
        ("int8-weights", "min-max", 0.005, 0.40),
        ("int4-weights", "min-max", 0.01, 0.25),
    ],
)
def test_digits_keep_their_accuracy_here_and_in_onnx_runtime(
    tmp_path: Path, kind: Any, calibration: Any, lost: float, size: float
) -> None:
    images, labels = digits()
    made = skerry.quantize(
        classifier(),
        {"x": images[:320]},
        kind=kind,
        calibration=calibration,
        judge={"x": images[320:]},
        labels=labels[320:],
    )
    assert made.score_before > 0.97
    assert made.score >= made.score_before - lost
    path = tmp_path / "small.onnx"
    skerry.save_onnx(made.model, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    theirs = by_ort(path, {"x": images[320:]})
    assert np.mean(theirs.argmax(1) == labels[320:]) >= made.score_before - lost
    ours = answers(made.model, {"x": images[320:]})
    # Both round the same levels; a level of the last quantised tensor may differ where sums are ordered otherwise.
    assert np.abs(ours - theirs).max() <= 0.03 * np.abs(theirs).max()
    assert made.weight_bytes <= size * made.weight_bytes_before
    assert sum(layer.bytes for layer in made.layers) <= made.weight_bytes


def test_int8_runs_in_integers_and_int4_is_packed_two_to_a_byte() -> None:
    images, _ = digits()
    made = skerry.quantize(classifier(), {"x": images[:64]})
    kernels = {step.op for step in skerry.plan(made.model, inputs={"x": images[:1]}).steps}
    assert "QLinearConv" in kernels
    assert not kernels & {"Conv", "DequantizeLinear"}
    four = skerry.quantize(classifier(), kind="int4-weights", block=64)
    dense = next(layer for layer in four.layers if layer.op == "Gemm")
    assert dense.weights == "i4"
    assert dense.bytes == dense.bytes_before // 8 + dense.bytes_before // 4 // 64 * 4


def test_a_saved_model_is_the_model(tmp_path: Path) -> None:
    for name in ("digits_cnn", "dscnn", "transformer_tiny", "rnn_tiny", "digits_cnn_qdq"):
        model = skerry.load(MODELS / f"{name}.onnx")
        assert isinstance(model, skerry.Model)
        with np.load(MODELS / f"{name}.npz") as file:
            inputs = {key.removeprefix("in_"): file[key] for key in file.files if key.startswith("in_")}
        path = tmp_path / f"{name}.onnx"
        skerry.save_onnx(model, path)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        again = skerry.load(path)
        assert isinstance(again, skerry.Model)
        assert np.array_equal(answers(again, inputs), answers(model, inputs)), name
        theirs = by_ort(path, inputs)
        assert np.abs(theirs - answers(model, inputs)).max() <= 2e-3 * np.abs(theirs).max(), name


def weights(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)


def residual_net(rng: np.random.Generator, dead: list[int]) -> skerry.Model:
    """Two branches that meet in a sum, batch normalisation, a depthwise convolution, and a dense layer behind Reshape.

    The channels of the sum that `dead` lists are zero whatever comes in.
    """
    arrays = {
        "a": weights(rng, 12, 3, 3, 3),
        "b": weights(rng, 12, 12, 1, 1),
        "d": weights(rng, 12, 1, 3, 3),
        "f": weights(rng, 12 * 16, 5),
        "shape": np.array([-1, 12 * 16]),
        "scale": rng.uniform(0.5, 2, 12).astype(np.float32),
        "shift": rng.normal(0, 1, 12).astype(np.float32),
        "mean": rng.normal(0, 1, 12).astype(np.float32),
        "var": rng.uniform(0.5, 2, 12).astype(np.float32),
    }
    arrays["a"][dead] = arrays["b"][dead] = arrays["d"][dead] = 0
    for name in ("shift", "mean"):
        arrays[name][dead] = 0
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c0", "scale", "shift", "mean", "var"], ["c1"]),
        helper.make_node("Relu", ["c1"], ["c2"]),
        helper.make_node("Conv", ["c2", "b"], ["c3"]),
        helper.make_node("Add", ["c3", "c2"], ["s"]),
        helper.make_node("Conv", ["s", "d"], ["e"], group=12, pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["e", "shape"], ["r"]),
        helper.make_node("MatMul", ["r", "f"], ["y"]),
    ]
    info = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["N", 3, 4, 4]), ("y", ["N", 5]))
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "residual", info[:1], info[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = skerry.loads(made.SerializeToString())
    assert isinstance(model, skerry.Model)
    return model


def test_channels_that_are_zero_leave_everywhere_without_a_trace(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    model = residual_net(rng, [1, 4, 7])
    x = rng.normal(size=(6, 3, 4, 4)).astype(np.float32)
    pruned = skerry.prune(model, 0.25, structured=True)
    assert {(layer.before, layer.left) for layer in pruned.layers} == {(12, 9)}
    assert len(pruned.layers) == 3, "all three convolutions hang together"
    wanted = answers(model, {"x": x})
    assert np.allclose(answers(pruned.model, {"x": x}), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    path = tmp_path / "thin.onnx"
    skerry.save_onnx(pruned.model, path)
    assert np.allclose(by_ort(path, {"x": x}), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    shapes = {constant.name: list(constant.dims) for constant in onnx.load(path).graph.initializer}
    assert [9, 3, 3, 3] in shapes.values()
    assert [9, 9, 1, 1] in shapes.values()
    assert [9 * 16, 5] in shapes.values()
    with pytest.raises(skerry.Unsupported, match="no channels"):
        skerry.prune(model, 0.25, structured=True, keep=[pruned.layers[0].node])


def test_residuals_and_depthwise_convolutions_quantise_and_run_elsewhere(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    model = residual_net(rng, [])
    x = rng.normal(size=(40, 3, 4, 4)).astype(np.float32)
    made = skerry.quantize(model, {"x": x}, calibration="mse")
    assert made.snr_db > 25
    path = tmp_path / "small.onnx"
    skerry.save_onnx(made.model, path)
    assert np.abs(by_ort(path, {"x": x}) - answers(made.model, {"x": x})).max() < 0.05
    steps = {step.op for step in skerry.plan(made.model, inputs={"x": x}).steps}
    assert "QLinearConv" in steps
    assert not steps & {"Add", "Conv"}, "residuals are added in integers, by a convolution"


def test_magnitude_pruning_zeroes_the_share_that_was_asked_for_and_the_smallest() -> None:
    model = classifier()
    for whole in (True, False):
        pruned = skerry.prune(model, 0.5, whole=whole)
        left, before = (sum(getattr(layer, key) for layer in pruned.layers) for key in ("left", "before"))
        assert abs(left / before - 0.5) < 0.01
        if not whole:
            assert all(abs(layer.left / layer.before - 0.5) < 0.02 for layer in pruned.layers)
    kept = skerry.prune(model, 0.9, keep=[pruned.layers[0].node])
    assert pruned.layers[0].node not in {layer.node for layer in kept.layers}


def test_mixed_precision_holds_the_bound_and_widens_no_more_than_it_must() -> None:
    images, labels = digits()
    # One channel in blocks far too large for it.
    coarse = skerry.quantize(classifier(), {"x": images[:64]}, kind="int4-weights", block=4096, judge={"x": images})
    assert coarse.score < 1.0
    bound = (1.0 - coarse.score) / 2
    mixed = skerry.quantize(
        classifier(), {"x": images[:64]}, kind="int4-weights", block=4096, judge={"x": images}, max_loss=bound
    )
    assert mixed.score >= 1.0 - bound
    assert {layer.weights for layer in mixed.layers} == {"i4", "i8"}
    whole = skerry.quantize(
        classifier(), {"x": images[:64]}, judge={"x": images}, labels=labels, keep=[coarse.layers[0].node]
    )
    assert whole.layers[0].weights == "f32"


def test_what_cannot_be_done_is_refused_with_a_reason(tmp_path: Path) -> None:
    model = classifier()
    images, labels = digits()

    def spoilt(value: float) -> Array:
        some = images[:16].copy()
        some.flat[5] = value
        return some

    cases: list[tuple[type[skerry.Error], str, dict[str, Any]]] = [
        (skerry.InvalidArgument, "there are none", {}),
        (skerry.InvalidArgument, "no layer is called 'nobody'", {"data": {"x": images}, "keep": ["nobody"]}),
        (skerry.InvalidArgument, "unknown calibration", {"data": {"x": images}, "calibration": "guess"}),
        (skerry.InvalidArgument, "blocks of 1", {"kind": "int4-weights", "block": 1}),
        (skerry.InvalidArgument, "percentile", {"data": {"x": images}, "percentile": 10.0}),
        (skerry.InvalidArgument, "do not fit", {"data": {"image": images}}),
        (skerry.InvalidArgument, "input .x.: element 5 of run 0 is no number", {"data": {"x": spoilt(np.nan)}}),
        (skerry.InvalidArgument, "is infinite", {"data": {"x": spoilt(-np.inf)}, "kind": "int8-weights"}),
        (skerry.InvalidArgument, "labels for", {"data": {"x": images}, "labels": labels[:5]}),
    ]
    for error, text, options in cases:
        with pytest.raises(error, match=text):
            skerry.quantize(model, **options)
    builder = skerry.GraphBuilder()
    builder.output(builder.add("Relu", [builder.input("x", [3])]), "y")
    with pytest.raises(skerry.Unsupported, match="no convolution or product"):
        skerry.quantize(builder.build(), kind="int8-weights")
    with pytest.raises(skerry.InvalidArgument, match="cannot be pruned"):
        skerry.prune(model, 1.0)
    with pytest.raises(skerry.InvalidArgument, match=r"importance_threshold.*structured"):
        skerry.prune(model, importance_threshold=0.5)
    compiled = skerry.compile(model, "high").program
    with pytest.raises(skerry.Unsupported, match="before it is compiled"):
        skerry.save_onnx(compiled, tmp_path / "x.onnx")
