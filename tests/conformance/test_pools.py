"""Pools that ONNX has no node cases for: GlobalLpPool and MaxRoiPool, against ONNX Runtime and their formulas."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
import skerry
from onnx import helper

Array = np.ndarray[Any, Any]


def floats(values: Any) -> Array:
    return np.array(values, np.float32)


REALS = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


def model_of(op: str, feed: dict[str, Array], opset: int = 22, **attributes: Any) -> onnx.ModelProto:
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim)
        for name, array in feed.items()
    ]
    kind = helper.np_dtype_to_tensor_dtype(next(iter(feed.values())).dtype)
    node = helper.make_node(op, list(feed), ["y"], name="pool", **attributes)
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y", kind, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def ours(op: str, feed: dict[str, Array], opset: int = 22, **attributes: Any) -> Array:
    loaded = skerry.loads(model_of(op, feed, opset, **attributes).SerializeToString())
    assert isinstance(loaded, skerry.Model)
    return np.asarray(loaded.session().run(feed)["y"])


def by_runtime(op: str, feed: dict[str, Array], opset: int = 21, **attributes: Any) -> Array:
    model = model_of(op, feed, opset, **attributes)
    return np.asarray(onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0])


def random(*shape: int, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 4, 5), (1, 2, 3, 4, 5)], ids=str)
def test_a_global_norm_is_that_of_onnx_runtime(shape: tuple[int, ...], p: int) -> None:
    x = random(*shape)
    found = ours("GlobalLpPool", {"x": x}, p=p)
    np.testing.assert_allclose(found, by_runtime("GlobalLpPool", {"x": x}, p=p), rtol=1e-5)


@pytest.mark.parametrize("dtype", REALS, ids=str)
@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 5), (2, 3, 4, 5), (1, 2, 2, 3, 2, 2), (1, 1, 300, 100)], ids=str)
def test_a_global_norm_has_every_rank_and_real(shape: tuple[int, ...], dtype: Any) -> None:
    x = random(*shape, dtype=dtype)
    for p in (1, 2, 5):
        found = ours("GlobalLpPool", {"x": x}, p=p)
        space = tuple(range(2, len(shape)))
        wanted = (np.abs(x.astype(np.float64)) ** p).sum(axis=space, keepdims=True) ** (1 / p)
        assert found.dtype == dtype
        assert found.shape == wanted.shape
        rounding = {"float64": 1e-13, "float32": 1e-6, "float16": 2.0**-11, "bfloat16": 2.0**-8}[str(dtype)]
        np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=1.01 * rounding)


def test_a_global_norm_of_nothing_is_zero_or_nothing() -> None:
    assert ours("GlobalLpPool", {"x": random(2, 3, 0, 5)}).tolist() == np.zeros((2, 3, 1, 1)).tolist()
    assert ours("GlobalLpPool", {"x": random(0, 3, 4, 5)}).shape == (0, 3, 1, 1)
    assert ours("GlobalLpPool", {"x": random(2, 0, 4, 5)}).shape == (2, 0, 1, 1)


def test_the_first_opset_had_real_powers() -> None:
    x = random(1, 2, 3, 4)
    wanted = (np.abs(x) ** 2.5).sum(axis=(2, 3), keepdims=True) ** 0.4
    np.testing.assert_allclose(ours("GlobalLpPool", {"x": x}, opset=1, p=2.5), wanted, rtol=1e-5)


@pytest.mark.parametrize("p", [0, -1, float("nan"), float("inf")])
def test_a_power_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(skerry.TypeMismatch, match="p is") as refused:
        ours("GlobalLpPool", {"x": random(1, 2, 3)}, p=p)
    assert "pool" in str(refused.value)


def regions(count: int, images: int, most: float) -> Array:
    rng = np.random.default_rng(count)
    corners = rng.uniform(-3.0, most, size=(count, 4))  # some lie outside, some are turned
    return np.concatenate([rng.integers(images, size=(count, 1)), corners], axis=1).astype(np.float32)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0625])
@pytest.mark.parametrize("pooled", [(1, 1), (3, 2), (7, 7)], ids=str)
def test_regions_are_pooled_as_onnx_runtime_does(pooled: tuple[int, int], scale: float) -> None:
    feed = {"x": random(3, 4, 13, 17), "rois": regions(40, 3, 18.0 / scale)}
    attributes: dict[str, Any] = {"pooled_shape": list(pooled), "spatial_scale": scale}
    found = ours("MaxRoiPool", feed, **attributes)
    np.testing.assert_array_equal(found, by_runtime("MaxRoiPool", feed, **attributes))


@pytest.mark.parametrize("dtype", REALS, ids=str)
def test_regions_of_every_real_are_pooled_without_rounding(dtype: Any) -> None:
    feed = {"x": random(2, 3, 8, 8, dtype=dtype), "rois": np.array([[1, 0, 0, 7, 7], [0, 2, 2, 4, 5]]).astype(dtype)}
    floats = {name: array.astype(np.float32) for name, array in feed.items()}
    found = ours("MaxRoiPool", feed, pooled_shape=[2, 3])
    assert found.dtype == dtype
    wanted = by_runtime("MaxRoiPool", floats, pooled_shape=[2, 3])
    np.testing.assert_array_equal(found.astype(np.float32), wanted)


def test_a_region_that_holds_no_number_has_none() -> None:
    x = np.zeros((1, 1, 4, 4), np.float32)
    x[0, 0, 0, 0], x[0, 0, 2:, :] = np.nan, -np.inf
    found = ours("MaxRoiPool", {"x": x, "rois": floats([[0, 0, 0, 3, 3]])}, pooled_shape=[2, 1])
    assert np.isnan(found[0, 0, 0, 0])
    assert found[0, 0, 1, 0] == -np.inf


def test_regions_of_nothing() -> None:
    assert ours("MaxRoiPool", {"x": random(1, 2, 4, 4), "rois": random(0, 5)}, pooled_shape=[2, 3]).shape == (
        0,
        2,
        2,
        3,
    )
    whole = floats([[0, 0, 0, 3, 3]])
    assert not ours("MaxRoiPool", {"x": random(1, 2, 0, 4), "rois": whole}, pooled_shape=[1, 1]).any()
    assert ours("MaxRoiPool", {"x": random(1, 0, 4, 4), "rois": whole}, pooled_shape=[1, 1]).shape == (1, 0, 1, 1)


FAR = [2.0**40, -(2.0**40), 3e38, float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("value", FAR)
def test_regions_as_far_as_numbers_go_are_pooled_or_refused(value: float) -> None:
    x = random(2, 1, 4, 4)
    for place in range(1, 5):
        roi = floats([[0, 0, 0, 3, 3]])
        roi[0, place] = value
        assert ours("MaxRoiPool", {"x": x, "rois": roi}, pooled_shape=[2**10, 1]).shape == (1, 1, 2**10, 1)
    with pytest.raises(skerry.OutOfRange, match="a region is of image"):
        ours("MaxRoiPool", {"x": x, "rois": floats([[value, 0, 0, 3, 3]])}, pooled_shape=[1, 1])


@pytest.mark.parametrize(
    ("attributes", "told"),
    [({}, "pooled_shape has 0"), ({"pooled_shape": [1]}, "pooled_shape has 1"), ({"pooled_shape": [0, 1]}, "has 0"),
     ({"pooled_shape": [2**62, 1]}, "pooled_shape has")],
)  # fmt: skip
def test_a_pooled_shape_that_is_none_is_refused(attributes: dict[str, Any], told: str) -> None:
    feed = {"x": random(1, 1, 4, 4), "rois": floats([[0, 0, 0, 3, 3]])}
    with pytest.raises(skerry.TypeMismatch, match=told):
        ours("MaxRoiPool", feed, **attributes)


@pytest.mark.parametrize(("x", "rois"), [((4, 4), (1, 5)), ((1, 1, 4, 4), (1, 4)), ((1, 1, 4, 4), (5,))], ids=str)
def test_regions_of_other_shapes_are_refused(x: tuple[int, ...], rois: tuple[int, ...]) -> None:
    with pytest.raises(skerry.TypeMismatch):
        ours("MaxRoiPool", {"x": random(*x), "rois": random(*rois)}, pooled_shape=[1, 1])
