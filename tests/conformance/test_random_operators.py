"""Operators that draw random numbers: with a seed against ONNX's reference, without one by what a run promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from skerry.batching import BatchingManager

FLOATS = [TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE]
SEEDS = [0.0, 1.0, 42.0, 123456.0]
Arrays = dict[str, NDArray[Any]]


def model_of(
    nodes: list[onnx.NodeProto], inputs: Arrays, outputs: list[str], dtypes: list[int], opset: int = 22
) -> onnx.ModelProto:
    takes = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in inputs.items()
    ]
    gives = [helper.make_tensor_value_info(name, dtype, None) for name, dtype in zip(outputs, dtypes, strict=True)]
    graph = helper.make_graph(nodes, "random", takes, gives)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def loaded(model: onnx.ModelProto) -> skerry.Model:
    made = skerry.loads(model.SerializeToString(), "random.onnx")
    assert isinstance(made, skerry.Model)
    return made


def node_model(op: str, inputs: Arrays, gives: int = TensorProto.FLOAT, **attributes: Any) -> onnx.ModelProto:
    node = helper.make_node(op, list(inputs), ["y"], name=op.lower(), **attributes)
    return model_of([node], inputs, ["y"], [gives])


def ours(model: onnx.ModelProto, inputs: Arrays, **options: Any) -> NDArray[Any]:
    found: NDArray[Any] = loaded(model).session(**options).run(inputs)["y"]
    return found


def theirs(model: onnx.ModelProto, inputs: Arrays) -> NDArray[Any]:
    return np.asarray(ReferenceEvaluator(model).run(None, inputs)[0])


def same(mine: NDArray[Any], yours: NDArray[Any]) -> None:
    assert mine.dtype == yours.dtype
    np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("seed", SEEDS)
def test_with_a_seed_numbers_are_those_of_the_reference_bit_by_bit(seed: float, dtype: int) -> None:
    shape = [41, 257]
    for op, attributes in [
        ("RandomUniform", {"low": -3.5, "high": 1.7}),
        ("RandomNormal", {"mean": 0.3, "scale": 2.1}),
    ]:
        model = node_model(op, {}, dtype, shape=shape, seed=seed, dtype=dtype, **attributes)
        same(ours(model, {}), theirs(model, {}))
        like = np.zeros(shape, helper.tensor_dtype_to_np_dtype(dtype))
        model = node_model(op + "Like", {"x": like}, dtype, seed=seed, **attributes)
        same(ours(model, {"x": like}), theirs(model, {"x": like}))


def test_like_takes_the_dtype_that_it_is_told() -> None:
    like = np.zeros((3, 5), np.int32)
    for op in ("RandomUniformLike", "RandomNormalLike"):
        model = node_model(op, {"x": like}, TensorProto.DOUBLE, seed=3.0, dtype=TensorProto.DOUBLE)
        same(ours(model, {"x": like}), theirs(model, {"x": like}))


@pytest.mark.parametrize("dtype", FLOATS)
def test_bernoulli_with_a_seed_is_the_reference(dtype: int) -> None:
    x = np.random.default_rng(5).random((30, 40)).astype(helper.tensor_dtype_to_np_dtype(dtype))
    x[0], x[1], x[2] = 0, 1, 0.5
    for told, numpy_type in [(dtype, x.dtype), (TensorProto.BOOL, bool), (TensorProto.INT64, np.int64)]:
        model = node_model("Bernoulli", {"x": x}, told, seed=7.0, dtype=told)
        found = ours(model, {"x": x})
        assert found.dtype == numpy_type
        same(found, theirs(model, {"x": x}))


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.75])
@pytest.mark.parametrize("ratio_type", [np.float32, np.float64])
def test_dropout_that_trains_is_the_reference(ratio: float, ratio_type: type) -> None:
    inputs: Arrays = {
        "x": np.random.default_rng(1).standard_normal((7, 300)).astype(np.float32),
        "r": np.asarray(ratio, ratio_type),
        "t": np.asarray(True),
    }
    node = helper.make_node("Dropout", ["x", "r", "t"], ["y", "mask"], seed=11)
    model = model_of([node], inputs, ["y", "mask"], [TensorProto.FLOAT, TensorProto.BOOL])
    found = loaded(model).session().run(inputs)
    y, mask = ReferenceEvaluator(model).run(None, inputs)
    same(found["mask"], mask)
    np.testing.assert_allclose(found["y"], y, rtol=2e-7, atol=0)
    assert np.mean(found["mask"]) == pytest.approx(1 - ratio, abs=0.05)
    inference = loaded(model).session().run(inputs | {"t": np.asarray(False)})
    same(inference["y"], inputs["x"])
    assert inference["mask"].all()


def drawn_classes(logits: NDArray[Any], samples: int, seed: int) -> NDArray[np.int64]:
    """Inversion, row by row, as NumPy spells it."""
    random = np.random.RandomState(seed).random_sample((len(logits), samples))
    rows = []
    for row, numbers in zip(logits.astype(np.float64), random, strict=True):
        sums = np.cumsum(np.exp(row - row.max()))
        rows.append(np.searchsorted(sums, numbers * sums[-1], side="right"))
    return np.array(rows)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_multinomial_draws_by_inversion(dtype: type) -> None:
    logits: NDArray[Any] = np.random.default_rng(2).standard_normal((5, 6)).astype(dtype)
    logits[2, [0, 3]] = -np.inf
    model = node_model("Multinomial", {"x": logits}, TensorProto.INT64, seed=4.0, sample_size=2000, dtype=7)
    found = ours(model, {"x": logits})
    same(found, drawn_classes(logits, 2000, 4))
    weights = np.exp(logits.astype(np.float64))
    share = np.stack([np.bincount(row, minlength=6) for row in found]) / 2000
    np.testing.assert_allclose(share, weights / weights.sum(axis=1, keepdims=True), atol=0.05)
    assert not np.isin(found[2], [0, 3]).any()


def unseeded(outputs: int = 2) -> onnx.ModelProto:
    nodes = [helper.make_node("RandomNormal", [], [f"y{i}"], shape=[64]) for i in range(outputs)]
    return model_of(nodes, {}, [f"y{i}" for i in range(outputs)], [TensorProto.FLOAT] * outputs)


def test_a_run_follows_from_its_seed_and_nothing_else() -> None:
    model = loaded(unseeded())
    session = model.session(seed=3)
    first = session.run({})
    for again in (session.run({}), session.run({}, seed=3), model.session(seed=3, threads=1).run({})):
        same(again["y0"], first["y0"])
    same(skerry.run(model, inputs={}, seed=3).outputs["y1"], first["y1"])
    others = [session.run({}, seed=seed)["y0"] for seed in (0, 1, 2**63)]
    numbers = np.concatenate([first["y0"], *others])
    assert np.unique(numbers).size == numbers.size
    same(session.run({})["y0"], first["y0"])  # a run's own seed is that run's alone


def test_nodes_without_a_seed_are_neither_merged_nor_computed_beforehand() -> None:
    session = loaded(unseeded()).session()
    found = session.run({})
    assert not np.isin(found["y0"], found["y1"]).any()
    assert not np.isin(session.run({}, seed=1)["y0"], found["y0"]).any()


def test_a_dropout_that_is_known_to_drop_nothing_is_no_random_step() -> None:
    x = helper.make_tensor("x", TensorProto.FLOAT, [3], [1, 2, 3])
    for trains, ratio, steps in [(False, 0.5, 0), (True, 0.0, 0), (True, 0.5, 1)]:
        held = [x, helper.make_tensor("r", TensorProto.FLOAT, [], [ratio])]
        held += [helper.make_tensor("t", TensorProto.BOOL, [], [trains])]
        graph = helper.make_graph(
            [helper.make_node("Dropout", ["x", "r", "t"], ["y"])],
            "known",
            [],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
            held,
        )
        model = loaded(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10))
        assert len(model.session().plan({}).steps) == steps
        if steps == 0:
            same(model.session().run({})["y"], np.array([1, 2, 3], np.float32))


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_every_level_and_a_package_draw_the_same(level: Any, tmp_path: Any) -> None:
    model = loaded(unseeded())
    expected = model.session(seed=9).run({})
    compiled = skerry.compile(model, level=level).program
    path = tmp_path / "random.skerry"
    skerry.save(compiled, path)
    for each in (compiled, skerry.load(path)):
        assert isinstance(each, skerry.Model)
        found = each.session(seed=9).run({})
        for name in expected:
            same(found[name], expected[name])


def looping(trips: int) -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_in"], ["go"]),
            helper.make_node("RandomUniform", [], ["drawn"], shape=[16]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
        ],
        [
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("drawn", TensorProto.FLOAT, [16]),
        ],
    )
    count = helper.make_tensor("trips", TensorProto.INT64, [], [trips])
    graph = helper.make_graph(
        [helper.make_node("Loop", ["trips", ""], ["y"], body=body)],
        "looping",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [count],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def test_each_turn_of_a_loop_draws_anew_and_each_run_the_same() -> None:
    session = loaded(looping(20)).session(seed=1)
    found = session.run({})["y"]
    assert found.shape == (20, 16)
    assert np.unique(found).size > 315  # of 2^24 numbers
    same(session.run({})["y"], found)
    assert not np.array_equal(session.run({}, seed=2)["y"], found)


def noisy(rows: Any) -> skerry.Model:
    graph = helper.make_graph(
        [
            helper.make_node("RandomNormalLike", ["x"], ["noise"]),
            helper.make_node("Add", ["x", "noise"], ["y"]),
        ],
        "noisy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 3])],
    )
    return loaded(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10))


def test_a_session_of_several_shapes_draws_for_each_as_if_it_were_alone() -> None:
    session = noisy("N").session()
    rows = {n: np.full((n, 3), n, np.float32) for n in (1, 2, 5, 1, 7, 2)}
    for n, x in rows.items():
        same(session.run({"x": x})["y"], noisy("N").session().run({"x": x})["y"])
        assert n == len(x)


def test_rows_of_different_requests_are_not_put_together() -> None:
    from concurrent.futures import ThreadPoolExecutor

    batching = BatchingManager(noisy("N"), sizes=[1, 4, 16], max_delay=0.01)
    asked = [np.full((1, 3), i, np.float32) for i in range(32)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: batching.run({"x": x}), asked))
    session = noisy("N").session()
    for x, answer in zip(asked, answers, strict=True):
        same(np.asarray(answer), session.run({"x": x})["y"])
    counted = batching.statistics()
    assert counted.runs == counted.rows == len(asked)


@pytest.mark.parametrize(
    ("op", "x", "attributes", "message"),
    [
        ("Bernoulli", np.array([0.5, 1.5], np.float32), {}, "a probability is 1.5"),
        ("Bernoulli", np.array([np.nan], np.float32), {}, "a probability is"),
        ("Multinomial", np.full((1, 3), -np.inf, np.float32), {}, "leaves no class to draw"),
        ("Multinomial", np.full((1, 3), np.nan, np.float32), {}, "leaves no class to draw"),
        ("Multinomial", np.zeros((1, 0), np.float32), {}, "leaves no class to draw"),
    ],
)
def test_what_is_no_probability_is_refused_with_its_place(op: str, x: Any, attributes: Any, message: str) -> None:
    dtype = TensorProto.INT32 if op == "Multinomial" else TensorProto.FLOAT
    model = node_model(op, {"x": x}, dtype, **attributes)
    with pytest.raises(skerry.OutOfRange, match=f"{op.lower()}: .*{message}"):
        ours(model, {"x": x})


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("RandomUniform", {}, {"shape": [2, -1]}, "an extent of -1"),
        ("RandomUniform", {}, {}, "has no attribute shape"),
        ("RandomNormal", {}, {"shape": [2], "dtype": TensorProto.INT32}, "cannot draw i32"),
        ("RandomNormal", {}, {"shape": [2], "seed": 1e30}, "the seed is"),
        ("RandomUniformLike", {"x": np.zeros(2, np.int64)}, {}, "cannot draw i64"),
        ("Multinomial", {"x": np.zeros((2, 2), np.float32)}, {"sample_size": -1}, "sample_size is -1"),
        ("Multinomial", {"x": np.zeros((2, 2), np.float32)}, {"dtype": TensorProto.FLOAT}, "gives no f32"),
    ],
)
def test_what_cannot_be_drawn_is_refused_when_the_model_is_read(
    op: str, inputs: Arrays, attributes: Any, message: str
) -> None:
    with pytest.raises(skerry.TypeMismatch, match=f"{op.lower()}: .*{message}"):
        loaded(node_model(op, inputs, **attributes))


def test_a_ratio_of_one_is_refused() -> None:
    inputs: Arrays = {"x": np.ones(3, np.float32), "r": np.array(1, np.float32), "t": np.asarray(True)}
    with pytest.raises(skerry.OutOfRange, match="the ratio is 1"):
        ours(node_model("Dropout", inputs), inputs)


def normalised(opset: int, outputs: int, **attributes: Any) -> tuple[onnx.ModelProto, Arrays]:
    random = np.random.default_rng(8)
    inputs: Arrays = {"x": (3 * random.standard_normal((4, 3, 5, 2)) + 1).astype(np.float32)}
    for name in ("scale", "bias", "mean"):
        inputs[name] = random.standard_normal(3).astype(np.float32)
    inputs["var"] = random.random(3).astype(np.float32)
    names = ["y", "out_mean", "out_var", "saved_mean", "saved_var"][:outputs]
    node = helper.make_node("BatchNormalization", list(inputs), names, **attributes)
    return model_of([node], inputs, names, [TensorProto.FLOAT] * outputs, opset), inputs


@pytest.mark.parametrize("opset", [14, 15])
@pytest.mark.parametrize("momentum", [0.9, 0.25])
def test_batch_normalization_that_trains_is_the_reference(opset: int, momentum: float) -> None:
    model, inputs = normalised(opset, 3, training_mode=1, momentum=momentum, epsilon=1e-3)
    found = loaded(model).session().run(inputs)
    for name, expected in zip(found, ReferenceEvaluator(model).run(None, inputs), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)
    alone, _ = normalised(opset, 1, training_mode=1, momentum=momentum, epsilon=1e-3)
    same(ours(alone, inputs), found["y"])


@pytest.mark.parametrize("opset", [7, 9])
def test_older_forms_train_when_their_later_outputs_are_wanted(opset: int) -> None:
    model, inputs = normalised(opset, 5, momentum=0.8)
    found = loaded(model).session().run(inputs)
    x = inputs["x"].astype(np.float64)
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    expected = {
        "out_mean": 0.8 * inputs["mean"] + 0.2 * mean,
        "out_var": 0.8 * inputs["var"] + 0.2 * var,
        "saved_mean": mean,
        "saved_var": var,
    }
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)
    each = (1, 3, 1, 1)
    scale, bias = inputs["scale"].reshape(each), inputs["bias"].reshape(each)
    y = (x - mean.reshape(each)) / np.sqrt(var.reshape(each) + 1e-5) * scale + bias
    np.testing.assert_allclose(found["y"], y, rtol=1e-5, atol=1e-5)


def test_outputs_of_training_are_refused_in_inference() -> None:
    model, _ = normalised(15, 3)
    with pytest.raises(skerry.TypeMismatch, match="outputs after the first exist in training only"):
        loaded(model)
