"""More of what a node may be: images of another size, edges, picking and placing, orders, sums of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.conformance.random_graphs.grower import Grower, TakenBackError, Value


def positive(g: Grower) -> Value:
    """An input or constant well away from 0, for what is steep there."""
    x = g.value()
    return g.constant(np.abs(g.array(x.array.shape)) + np.float32(0.5))


def steep(g: Grower) -> None:
    x = positive(g)
    op = g.one_of(("Sqrt", "Log", "Reciprocal", "Pow"))
    g.add(op, [x, g.constant(np.array(g.one_of((0.5, 2.0, 3.0)), np.float32))] if op == "Pow" else [x])


def clipped(g: Grower) -> None:
    x = g.value()
    least, most = (g.constant(np.array(n, np.float32)) for n in (-0.5, 1.0))
    g.add("Clip", g.one_of(([x, least, most], [x, least], [x, None, most])), exact=True)


def prelu(g: Grower) -> None:
    x = g.value(least_rank=1)
    g.add("PRelu", [x, g.constant(g.array(x.array.shape[-1:]))], exact=True)


def variadic(g: Grower) -> None:
    x = g.value()
    g.add(g.one_of(("Sum", "Mean", "Max", "Min")), [x, g.like(x), g.like(x)])


def remainder(g: Grower) -> None:
    x = g.value("i")
    divisor = g.constant(np.array(g.one_of((2, 3, -4)), np.int64))
    g.add(g.one_of(("Mod", "Div")), [x, divisor], exact=True)


def falls_on_a_sample(before: int, after: int, scale: float, transform: str) -> bool:
    """Whether a coordinate that is a whole number may be computed as one a little above it.

    The evaluator (_get_neighbor_idxes in onnx/reference/ops/op_resize.py) takes the two nearest samples, and of those
    as near as each other the lower one: a little above 3 that is 2 and 3, weighed as if they were 3 and 4.
    """
    places = np.arange(after)
    if transform == "align_corners":
        found = np.asarray(places * (before - 1) / max(after - 1, 1))
    else:
        found = np.asarray(places / scale if transform == "asymmetric" else (places + 0.5) / scale - 0.5)
    return scale not in (0.5, 1.0, 2.0) and bool(np.any((np.abs(found - np.rint(found)) < 1e-9) & (found > 0.5)))


def resized(g: Grower) -> None:
    x = g.value(rank=4)
    mode = g.one_of(("nearest", "linear"))
    transform = g.one_of(("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"))
    if mode == "nearest":
        # Where a coordinate lies halfway, its rounding decides: these are whole, and there is nothing to round.
        transform, factors = "asymmetric", [float(g.whole(1, 3)), float(g.whole(1, 3))]
    else:
        factors = [g.one_of((0.5, 1.0, 1.5, 2.0, 2.5)) for _ in range(2)]
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": transform}
    if mode == "nearest":
        attributes["nearest_mode"] = "floor"
    before = x.array.shape[2:]
    after = [int(n * factor) for n, factor in zip(before, factors, strict=True)]
    by_scales = g.maybe()
    scales = factors if by_scales else [m / n for m, n in zip(after, before, strict=True)]
    if min(after) < 1 or (mode == "linear" and any(map(falls_on_a_sample, before, after, scales, [transform] * 2))):
        raise TakenBackError
    if by_scales:
        given = [None, g.constant(np.array([1, 1, *scales], np.float32))]
    else:
        given = [None, None, g.integers(*x.array.shape[:2], *after)]
    g.add("Resize", [x, *given], exact=mode == "nearest", **attributes)


def edged(g: Grower) -> None:
    x = g.value(least_rank=1)
    mode = g.one_of(("reflect", "edge", "wrap"))
    if mode == "wrap" and g.opset < 19:
        raise TakenBackError
    least = [max(0, n - 1) if mode == "reflect" else n for n in x.array.shape]
    pads = [g.whole(0, min(2, n)) for n in least + least]
    g.add("Pad", [x, g.integers(*pads)], exact=True, mode=mode)


def cropped(g: Grower) -> None:
    x = g.value(g.one_of("fi"), least_rank=1)
    pads = [g.whole(-1 if n > 2 else 0, 1) for n in x.array.shape + x.array.shape]
    g.add("Pad", [x, g.integers(*pads)], exact=True, mode="constant")


def elements(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    shape = [g.whole(1, n) for n in x.array.shape]
    shape[axis] = g.whole(1, 4)
    extent = x.array.shape[axis]
    g.add("GatherElements", [x, g.constant(np.asarray(g.random.integers(-extent, extent, shape)))], True, axis=axis)


def gathered_points(g: Grower) -> None:
    x = g.value(least_rank=1)
    depth = g.whole(1, x.array.ndim)
    points = [[g.whole(0, n - 1) for n in x.array.shape[:depth]] for _ in range(g.whole(1, 4))]
    g.add("GatherND", [x, g.constant(np.array(points, np.int64))], exact=True)


def scattered(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    count = g.whole(1, x.array.shape[axis])
    places = np.asarray(g.random.permutation(x.array.shape[axis])[:count], np.int64)
    shape = list(x.array.shape)
    shape[axis] = count
    along = places.reshape([-1 if i == axis else 1 for i in range(x.array.ndim)])
    indices = g.constant(np.ascontiguousarray(np.broadcast_to(along, shape)))
    attributes: dict[str, Any] = {} if g.opset < 16 or g.maybe() else {"reduction": g.one_of(("add", "mul"))}
    g.add("ScatterElements", [x, indices, g.constant(g.array(shape))], not attributes, axis=axis, **attributes)


def scattered_points(g: Grower) -> None:
    x = g.value(least_rank=1)
    depth = g.whole(1, x.array.ndim)
    points = {tuple(g.whole(0, n - 1) for n in x.array.shape[:depth]) for _ in range(g.whole(1, 4))}
    indices = np.array(sorted(points), np.int64)
    updates = g.array([len(points), *x.array.shape[depth:]])
    attributes: dict[str, Any] = {} if g.opset < 16 or g.maybe() else {"reduction": g.one_of(("add", "mul"))}
    g.add("ScatterND", [x, g.constant(indices), g.constant(updates)], not attributes, **attributes)


def largest(g: Grower) -> None:
    x = g.value(least_rank=1, exact=True)
    axis = g.whole(0, x.array.ndim - 1)
    if any(len(np.unique(row)) < len(row) for row in np.moveaxis(x.array, axis, -1).reshape(-1, x.array.shape[axis])):
        raise TakenBackError  # which of two equals comes first is not said
    count = g.integers(g.whole(1, x.array.shape[axis]))
    g.add("TopK", [x, count], exact=True, outputs=2, axis=axis, largest=g.whole(0, 1))


def reduced_more(g: Grower) -> None:
    x = g.value(least_rank=1)
    op = g.one_of(("ReduceProd", "ReduceLogSumExp", "ReduceSumSquare", "ReduceMean", "ReduceSum", "ReduceMax"))
    attributes: dict[str, Any] = {"keepdims": g.whole(0, 1)}
    inputs: list[Value | None] = [x]
    if g.opset >= 18 or op == "ReduceSum":
        attributes["noop_with_empty_axes"] = g.whole(0, 1)
        if g.maybe():
            inputs.append(g.integers(*(axis - x.array.ndim for axis in range(x.array.ndim) if g.maybe())))
    g.add(op, inputs, **attributes)


def whole_sums(g: Grower) -> None:
    x = g.value("i", least_rank=1)
    op = g.one_of(("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"))
    inputs = [x, g.integers(g.whole(0, x.array.ndim - 1))] if g.opset >= 18 or op == "ReduceSum" else [x]
    g.add(op, inputs, exact=True, keepdims=g.whole(0, 1))


def einsum(g: Grower) -> None:
    x = g.value(least_rank=1)
    letters = "abcd"[: x.array.ndim]
    if x.array.ndim > 4:
        raise TakenBackError
    extents = dict(zip(letters, x.array.shape, strict=True)) | {"e": g.whole(1, 4)}
    other = "".join(letter for letter in extents if g.maybe()) or "e"
    result = "".join(letter for letter in sorted(set(letters + other)) if g.maybe())
    y = g.constant(g.array([extents[letter] for letter in other]))
    g.add("Einsum", [x, y], equation=f"{letters},{other}->{result}")


def split_evenly(g: Grower) -> None:
    x = g.value(g.one_of("fi"), least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    extent = x.array.shape[axis]
    parts = g.whole(2, 3)
    if (
        extent < parts
        or (g.opset < 18 and extent % parts)
        or (extent % parts and -(-extent // parts) * parts > extent + extent // parts)
    ):
        raise TakenBackError
    attributes: dict[str, Any] = {"num_outputs": parts} if g.opset >= 18 else {}
    g.add("Split", [x], exact=True, outputs=parts, axis=axis, **attributes)


def blocks_of_depth(g: Grower) -> None:
    x = g.value(rank=4)
    if x.array.shape[1] % 4 == 0 and g.maybe():
        g.add("DepthToSpace", [x], exact=True, blocksize=2, mode=g.one_of(("DCR", "CRD")))
    elif x.array.shape[2] % 2 == 0 and x.array.shape[3] % 2 == 0:
        g.add("SpaceToDepth", [x], exact=True, blocksize=2)


def triangle(g: Grower) -> None:
    g.add("Trilu", [g.value(least_rank=2), g.constant(np.array(g.whole(-2, 2), np.int64))], True, upper=g.whole(0, 1))


def one_hot(g: Grower) -> None:
    shape = [g.whole(1, 3) for _ in range(g.whole(0, 2))]
    indices = g.constant(np.asarray(g.random.integers(-4, 4, shape), np.int64))
    values = g.constant(np.array([0, 1], np.float32))
    g.add("OneHot", [indices, g.integers(4), values], exact=True, axis=g.whole(-1, len(shape)))


def shaped_by_shape(g: Grower) -> None:
    """What exporters write for a reshape: the extents are computed."""
    x = g.value(least_rank=2)
    (shape,) = g.add("Shape", [x], exact=True)
    (first,) = g.add("Gather", [shape, g.integers(0)], exact=True, axis=0)
    (wanted,) = g.add("Concat", [first, g.integers(-1)], exact=True, axis=0)
    g.add("Reshape", [x, wanted], exact=True)


def norms(g: Grower) -> None:
    x = g.value(rank=4)
    if x.array.std(axis=(2, 3)).min() < 0.1:
        raise TakenBackError
    gain, shift = (g.constant(g.array(x.array.shape[1])) for _ in range(2))
    g.add("InstanceNormalization", [x, gain, shift])


def chosen_rows(g: Grower) -> None:
    x = g.value(g.one_of("fi"), least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    kept = g.array(x.array.shape[axis], "b")
    kept[g.whole(0, len(kept) - 1)] = True
    g.add("Compress", [x, g.constant(kept)], exact=True, axis=axis)


def pooled_more(g: Grower) -> None:
    x = g.value(rank=4)
    kernel = [g.whole(1, min(3, n)) for n in x.array.shape[2:]]
    pads = [g.whole(0, n // 2) for n in kernel] * 2
    strides = [g.whole(1, 2), g.whole(1, 2)]
    if g.maybe():
        g.add("AveragePool", [x], kernel_shape=kernel, strides=strides, pads=pads, count_include_pad=g.whole(0, 1))
    else:
        # The evaluator's _op_common_pool.py, which it takes for steps of 1, reads pads as pairs, axis after axis.
        if strides == [1, 1] and len(set(pads)) > 1:
            raise TakenBackError
        g.add("MaxPool", [x], exact=True, kernel_shape=kernel, strides=strides, pads=pads)


def grown_convolution(g: Grower) -> None:
    x = g.value(rank=4)
    channels = x.array.shape[1]
    kernel = [g.whole(1, 3), g.whole(1, 3)]
    weight = g.constant(g.array((channels, g.whole(1, 3), *kernel)))
    bias = [g.constant(g.array(weight.array.shape[1]))] if g.maybe() else []
    g.add("ConvTranspose", [x, weight, *bias], strides=[g.whole(1, 2), g.whole(1, 2)])


def line_convolution(g: Grower) -> None:
    x = g.value(rank=3)
    channels = x.array.shape[1]
    size = g.whole(1, min(3, x.array.shape[2]))
    weight = g.constant(g.array((g.whole(1, 4), channels, size)))
    g.add("Conv", [x, weight], kernel_shape=[size], pads=[size // 2] * 2, dilations=[1], strides=[g.whole(1, 2)])


RULES: tuple[Callable[[Grower], None], ...] = (
    *(steep, clipped, prelu, variadic, remainder, resized, resized, edged, cropped, elements, gathered_points),
    *(scattered, scattered_points, largest, reduced_more, reduced_more, whole_sums, einsum, einsum, split_evenly),
    *(blocks_of_depth, triangle, one_hot, shaped_by_shape, norms, chosen_rows, pooled_more, grown_convolution),
    line_convolution,
)
