"""A plan that is asked for its price does without the weights, and says what a session's plan says, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import skerry
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).parents[1] / "data" / "models"


def floats(*shape: int, dtype: type[np.floating] = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


def one_input(shape: list[int], build: Callable[[skerry.GraphBuilder, object], object], dtype: str = "f32") -> Case:
    g = skerry.GraphBuilder()
    g.output(build(g, g.input("x", shape, dtype)), "y")  # type: ignore[arg-type]
    return g.build(), {"x": np.ones(shape, {"f32": np.float32, "f16": np.float16}[dtype])}


Case = tuple[skerry.Model, dict[str, np.ndarray]]
Build = Callable[[], Case]


def image(channels: int, weights: tuple[int, ...], more: str = "", dtype: str = "f32", **how: object) -> Build:
    """A convolution of an image, and what follows it."""

    def made() -> Case:
        def build(g: skerry.GraphBuilder, x: object) -> object:
            w = g.constant(floats(*weights).astype(np.float16 if dtype == "f16" else np.float32), "w")
            y = g.add("ConvTranspose" if more == "transposed" else "Conv", [x, w], **how)  # type: ignore[arg-type, list-item]
            if more == "normalised":
                scale = [g.constant(np.abs(floats(weights[0], 1)).ravel(), name) for name in ("s", "b", "m", "v")]
                y = g.add("BatchNormalization", [y, *scale])
            if more == "dense":
                y = g.add("Flatten", [g.add("Relu", [y])])
                y = g.add("Gemm", [y, g.constant(floats(64, weights[0] * 14 * 14), "dense")], transB=1)
            return y

        return one_input([1, channels, 14, 14], build, dtype)

    return made


def product(rows: int, op: str = "MatMul", turned: bool = False, dtype: str = "f32", **how: object) -> Build:
    def made() -> Case:
        def build(g: skerry.GraphBuilder, x: object) -> object:
            w = g.constant(floats(256, 320).astype(np.float16 if dtype == "f16" else np.float32).T.copy(), "w")
            if "transB" not in how:
                w = g.add("Transpose", [w]) if turned else g.constant(floats(256, 320).astype(dtype_of[dtype]), "v")
            return g.add(op, [x, w], **how)  # type: ignore[arg-type, list-item]

        return one_input([rows, 256], build, dtype)

    dtype_of = {"f32": np.float32, "f16": np.float16}
    return made


def normalised_product() -> Case:
    def build(g: skerry.GraphBuilder, x: object) -> object:
        y = g.add("Gemm", [x, g.constant(floats(256, 320), "w"), g.constant(floats(320), "c")])  # type: ignore[list-item]
        scale = [g.constant(np.abs(floats(320)), name) for name in ("s", "b", "m", "v")]
        return g.add("BatchNormalization", [y, *scale])

    return one_input([4, 256], build)


def recurrent(op: str, gates: int) -> Build:
    def made() -> Case:
        g = skerry.GraphBuilder()
        x = g.input("x", [6, 1, 96], "f32")
        w, r = g.constant(floats(1, gates * 128, 96), "w"), g.constant(floats(1, gates * 128, 128), "r")
        g.output(g.add(op, [x, w, r], hidden_size=128), "y")
        return g.build(), {"x": floats(6, 1, 96)}

    return made


def askew(tmp_path: Path) -> Case:
    """From a file in which the weights start at an odd place."""
    for padding in range(1, 5):
        nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Gemm", ["h", "v"], ["y"])]
        graph = helper.make_graph(
            nodes, "g" * padding,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 256])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 64])],
            [numpy_helper.from_array(floats(256, 320), "w"), numpy_helper.from_array(floats(320, 64), "v")],
        )  # fmt: skip
        path = tmp_path / f"askew{padding}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
        if path.read_bytes().index(floats(256, 320).tobytes()) % 4:
            model = skerry.load(path)
            assert isinstance(model, skerry.Model)
            return model, {"x": floats(3, 256)}
    raise AssertionError("no file with weights at an odd place")


def kept(name: str) -> Case:
    model = skerry.load(MODELS / f"{name}.onnx")
    assert isinstance(model, skerry.Model)
    arrays = np.load(MODELS / f"{name}.npz")
    return model, {one.name: arrays[f"in_{one.name}"] for one in model.inputs}


BUILT: dict[str, Build] = {
    "one row": product(1),
    "many rows": product(64),
    "halves": product(8, dtype="f16"),
    "columns": product(4, "Gemm", transB=1),
    "turned before": product(4, turned=True),
    "normalised product": normalised_product,
    "window 3x3": image(32, (64, 32, 3, 3), pads=[1, 1, 1, 1]),
    "few channels": image(3, (256, 3, 7, 7), strides=[2, 2]),
    "points": image(128, (256, 128, 1, 1)),
    "halves of an image": image(128, (256, 128, 1, 1), dtype="f16"),
    "normalised": image(32, (64, 32, 3, 3), "normalised", pads=[1, 1, 1, 1]),
    "groups": image(64, (128, 16, 3, 3), group=4),
    "each channel": image(1024, (1024, 1, 5, 5), group=1024),
    "transposed": image(32, (32, 64, 4, 4), "transposed", strides=[2, 2]),
    "flattened": image(8, (16, 8, 3, 3), "dense", pads=[1, 1, 1, 1]),
    "line": image(32, (64, 32, 3, 3), "normalised", strides=[2, 2]),
    "LSTM": recurrent("LSTM", 4),
    "GRU": recurrent("GRU", 3),
}


def cases(tmp_path: Path) -> Iterator[tuple[str, Case]]:
    for name, build in BUILT.items():
        yield name, build()
    for path in sorted(MODELS.glob("*.onnx")):
        yield path.stem, kept(path.stem)
    yield "askew", askew(tmp_path)


def test_it_is_the_plan_of_a_session(tmp_path: Path) -> None:
    packed = 0
    for name, (model, inputs) in cases(tmp_path):
        told = skerry.plan(model, inputs=inputs)
        session = model.session()
        made = session.plan(inputs)
        assert (told.peak_bytes, told.seconds) == (made.peak_bytes, made.seconds), name
        assert str(told.memory) == str(made.memory), name
        assert str(told) == str(made), name
        packed += "packed" in str(told)
        # Whoever weighs leaves everything to the run as it was.
        before = session.run(inputs)
        skerry.plan(model, inputs=inputs)
        for output, array in model.session().run(inputs).items():
            np.testing.assert_array_equal(array, before[output], err_msg=name)
    assert packed > len(BUILT) // 2  # it is about weights that kernels want in another order


@pytest.mark.parametrize("name", ["one row", "window 3x3", "turned before"])
def test_a_session_after_a_plan_has_its_weights(name: str) -> None:
    model, inputs = BUILT[name]()
    inputs = {"x": floats(*inputs["x"].shape)}
    skerry.plan(model, inputs=inputs)
    (y,) = model.session().run(inputs).values()
    weights = floats(64, 32, 3, 3) if name == "window 3x3" else floats(256, 320)
    if name == "window 3x3":
        padded = np.pad(inputs["x"], ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        due = np.einsum("nchwij,ocij->nohw", windows, weights)
    else:
        due = inputs["x"] @ weights
    np.testing.assert_allclose(y, due, atol=2e-3)
