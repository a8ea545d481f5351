"""Numbers and layers that are rounded to the levels of some bits, with gradients as if they were not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry._core import GraphBuilder, GraphValue, Model
from skerry.errors import InvalidArgument

Floats = NDArray[np.float32]


class FakeQuantize:
    """Rounds numbers to the levels of some bits, and lets gradients through as if it did not.

    Outside of the range the levels end, and gradients are zero (Jacob et al., CVPR 2018). The range is seen: the first
    call takes it from what it is given, observe() moves it on. axis: a range for each place along it.

    >>> import numpy, skerry
    >>> four = skerry.FakeQuantize.with_bits(2)
    >>> four(numpy.float32([0, 0.2, 0.9, 3])).tolist()
    [0.0, 0.0, 1.0, 3.0]
    >>> four.vjp(numpy.float32([-1, 0.2, 5]), numpy.float32([1, 1, 1])).tolist()
    [0.0, 1.0, 0.0]
    """

    FOLLOW = 0.1  # what a new range adds to the known one

    def __init__(self, bits: int, symmetric: bool = False, axis: int | None = None) -> None:
        if not 2 <= bits <= 16:
            raise InvalidArgument(f"{bits} bits", "bits", "give 2 to 16")
        self.bits, self.symmetric, self.axis = bits, symmetric, axis
        self.lowest: int = 1 - 2 ** (bits - 1) if symmetric else 0
        self.highest: int = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
        self._range: tuple[Floats, Floats] | None = None

    @classmethod
    def with_bits(cls, bits: int, *, symmetric: bool = False, axis: int | None = None) -> FakeQuantize:
        """For 2 to 16 bits: affine levels from 0 on, or symmetric ones around it."""
        return cls(bits, symmetric, axis)

    def observe(self, x: ArrayLike) -> None:
        """Moves the range towards that of x, which holds 0."""
        values = np.asarray(x, np.float32)
        axes = None if self.axis is None else tuple(i for i in range(values.ndim) if i != self.axis % values.ndim)
        keep = self.axis is not None
        least = np.minimum(values.min(axes, keepdims=keep), 0).astype(np.float32)
        most = np.maximum(values.max(axes, keepdims=keep), 0).astype(np.float32)
        if self._range is not None:
            least = self._range[0] + self.FOLLOW * (least - self._range[0])
            most = self._range[1] + self.FOLLOW * (most - self._range[1])
        self._range = np.asarray(least, np.float32), np.asarray(most, np.float32)

    def reset(self) -> None:
        """Forgets the range."""
        self._range = None

    @property
    def scale(self) -> Floats:
        """What lies between two levels."""
        if self._range is None:
            raise InvalidArgument("no range has been seen", "FakeQuantize", "call observe() first")
        least, most = self._range
        spread = np.maximum(-least, most) / self.highest if self.symmetric else (most - least) / self.highest
        return np.where(spread > 0, spread, 1).astype(np.float32)

    @property
    def zero_point(self) -> Floats:
        """The level of 0."""
        scale = self.scale
        assert self._range is not None
        return np.zeros_like(scale) if self.symmetric else np.round(-self._range[0] / scale).astype(np.float32)

    def _rounded(self, graph: GraphBuilder, x: GraphValue, name: str) -> GraphValue:
        """x on its levels; further inputs are `scale:name` and `zero:name`."""
        shape = list(self.scale.shape)
        scale, zero = graph.input(f"scale:{name}", shape), graph.input(f"zero:{name}", shape)
        # A quarter of a level more on each side: the outermost levels are inside, and round to themselves.
        low, high = (graph.constant(np.float32(end)) for end in (self.lowest - 0.25, self.highest + 0.25))
        level = graph.add("Add", [graph.add("Div", [x, scale]), zero])
        level = graph.add("Round", [graph.add("Clip", [level, low, high])])
        return graph.add("Mul", [graph.add("Sub", [level, zero]), scale])

    def _inputs(self, name: str) -> dict[str, Any]:
        return {f"scale:{name}": self.scale, f"zero:{name}": self.zero_point}

    def _graph(self, shape: tuple[int, ...]) -> Model:
        graph = GraphBuilder()
        graph.output(self._rounded(graph, graph.input("x", list(shape)), "x"), "y")
        return graph.build()

    def __call__(self, x: ArrayLike) -> Floats:
        values = np.asarray(x, np.float32)
        if self._range is None:
            self.observe(values)
        found = self._graph(values.shape).session().run({"x": values, **self._inputs("x")})
        return np.asarray(found["y"])

    def vjp(self, x: ArrayLike, cotangent: ArrayLike) -> Floats:
        """The cotangent of x: that of the result inside of the range, zero outside."""
        values = np.asarray(x, np.float32)
        both = self._graph(values.shape).differentiate(["x"])
        given = {"x": values, "grad:y": np.asarray(cotangent, np.float32), **self._inputs("x")}
        return np.asarray(both.session().run(given)["grad:x"])


class QuantizationAwareLinear:
    """A dense layer that computes with rounded weights and inputs; its weights are the exact ones.

    weight: [out_features, in_features]; bias: [out_features] or None.

    >>> import numpy, skerry
    >>> layer = skerry.QuantizationAwareLinear(3, 2, bias=False)
    >>> layer.weight[:] = [[1, 0, -1], [0.5, 0.5, 0.5]]
    >>> layer(numpy.float32([[1, 0, 2]])).round(2).tolist()
    [[-1.0, 1.5]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        weight_bits: int = 8,
        activation_bits: int = 8,
        bias: bool = True,
        seed: int = 0,
    ) -> None:
        bound = 1 / np.sqrt(in_features)
        rng = np.random.default_rng(seed)
        self.weight: Floats = rng.uniform(-bound, bound, (out_features, in_features)).astype(np.float32)
        self.bias: Floats | None = np.zeros(out_features, np.float32) if bias else None
        self.weight_quant = FakeQuantize.with_bits(weight_bits, symmetric=True, axis=0)
        self.activation_quant = FakeQuantize.with_bits(activation_bits)

    @property
    def fake_quant_modules(self) -> tuple[FakeQuantize, FakeQuantize]:
        """Of the weights and of the inputs."""
        return self.weight_quant, self.activation_quant

    def _graph(self, rows: int) -> Model:
        graph = GraphBuilder()
        x, weight = graph.input("x", [rows, self.weight.shape[1]]), graph.input("weight", list(self.weight.shape))
        operands: list[GraphValue | None] = [
            self.activation_quant._rounded(graph, x, "x"),
            self.weight_quant._rounded(graph, weight, "weight"),
        ]
        if self.bias is not None:
            operands.append(graph.input("bias", list(self.bias.shape)))
        graph.output(graph.add("Gemm", operands, transB=1), "y")
        return graph.build()

    def _inputs(self, x: Floats, follow: bool) -> dict[str, Any]:
        self.weight_quant.reset()
        self.weight_quant.observe(self.weight)
        if follow or self.activation_quant._range is None:
            self.activation_quant.observe(x)
        given = {"x": x, "weight": self.weight}
        if self.bias is not None:
            given["bias"] = self.bias
        return {**given, **self.activation_quant._inputs("x"), **self.weight_quant._inputs("weight")}

    def __call__(self, x: ArrayLike, *, follow: bool = False) -> Floats:
        """[rows, out_features]; follow: the range of the inputs moves towards that of x."""
        values = np.asarray(x, np.float32)
        given = self._inputs(values, follow)
        return np.asarray(self._graph(len(values)).session().run(given)["y"])

    def vjp(self, x: ArrayLike, cotangent: ArrayLike) -> dict[str, Floats]:
        """Cotangents of `x`, `weight` and, where there is one, `bias`."""
        values = np.asarray(x, np.float32)
        given = self._inputs(values, False)
        by = [name for name in ("x", "weight", "bias") if name in given]
        both = self._graph(len(values)).differentiate(by).session()
        found = both.run({**given, "grad:y": np.asarray(cotangent, np.float32)})
        return {name: np.asarray(found[f"grad:{name}"]) for name in by}
