"""Transformer encoders as exporters write them: norms and GELU in elementary operators, shapes found at run time.

`Weights` looks a parameter up by name; random ones stand in where a model has none. Tensors are [N,S,width].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from graph_writer import FloatArray, GraphWriter
from onnx import TensorProto

# (name, shape) -> parameter; matrices are [in, out].
Weights = Callable[[str, tuple[int, ...]], FloatArray]


def random_weights(g: GraphWriter) -> Weights:
    """Matrices that keep the variance of what flows through them, gains near one, small offsets."""

    def draw(name: str, shape: tuple[int, ...]) -> FloatArray:
        if name.endswith("gain"):
            return g.random.normal(1.0, 0.05, shape).astype(np.float32)
        deviation = 0.5 if name.endswith("table") else 0.02 if len(shape) == 1 else shape[0] ** -0.5
        return g.random.normal(0.0, deviation, shape).astype(np.float32)

    return draw


class Encoder:
    """Layers of one width and number of heads, whose parameters come from `weights`."""

    def __init__(self, g: GraphWriter, weights: Weights, width: int, heads: int, epsilon: float = 1e-5) -> None:
        self.g, self.weights, self.width, self.heads, self.epsilon = g, weights, width, heads, epsilon

    def linear(self, x: str, name: str, inputs: int, outputs: int) -> str:
        product = self.g.node("MatMul", x, self.g.constant(self.weights(f"{name}.matrix", (inputs, outputs)), name))
        return self.g.node("Add", product, self.g.constant(self.weights(f"{name}.offset", (outputs,)), name))

    def layer_norm(self, x: str, name: str) -> str:
        """(x - mean) / sqrt(var + epsilon) * gain + offset over the last axis."""
        g = self.g
        centred = g.node("Sub", x, g.node("ReduceMean", x, axes=[-1], keepdims=1))
        variance = g.node("ReduceMean", g.node("Pow", centred, g.scalar(2)), axes=[-1], keepdims=1)
        deviation = g.node("Sqrt", g.node("Add", variance, g.scalar(self.epsilon)))
        scaled = g.node(
            "Mul", g.node("Div", centred, deviation), g.constant(self.weights(f"{name}.gain", (self.width,)))
        )
        return g.node("Add", scaled, g.constant(self.weights(f"{name}.offset", (self.width,))))

    def gelu(self, x: str) -> str:
        """x (1 + erf(x / sqrt 2)) / 2."""
        g = self.g
        bell = g.node("Add", g.node("Erf", g.node("Div", x, g.scalar(2**0.5))), g.scalar(1))
        return g.node("Mul", g.node("Mul", x, bell), g.scalar(0.5))

    def extent(self, x: str, axis: int) -> str:
        """One extent of x as a tensor of one element."""
        g = self.g
        return g.node(
            "Unsqueeze", g.node("Gather", g.node("Shape", x), g.constant(np.int64(axis)), axis=0), g.integers(0)
        )

    def attention(self, x: str, name: str, mask: str | None = None) -> str:
        """softmax(q kᵀ / sqrt(depth) + mask) v for each head, joined and projected."""
        g, depth = self.g, self.width // self.heads
        batch, length = self.extent(x, 0), self.extent(x, 1)
        by_head = g.node("Concat", batch, length, g.integers(self.heads), g.integers(depth), axis=0)
        joined = g.node("Concat", batch, length, g.integers(self.width), axis=0)

        def heads_of(part: str, order: list[int]) -> str:
            y = self.linear(x, f"{name}.{part}", self.width, self.width)
            return g.node("Transpose", g.node("Reshape", y, by_head), perm=order)

        query, key, value = (
            heads_of("query", [0, 2, 1, 3]),
            heads_of("key", [0, 2, 3, 1]),
            heads_of("value", [0, 2, 1, 3]),
        )
        scores = g.node("Div", g.node("MatMul", query, key), g.scalar(depth**0.5))
        if mask is not None:
            scores = g.node("Add", scores, mask)
        mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), value)
        y = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        return self.linear(y, f"{name}.out", self.width, self.width)

    def layer(self, x: str, name: str, mask: str | None = None) -> str:
        g = self.g
        x = self.layer_norm(g.node("Add", x, self.attention(x, f"{name}.attention", mask)), f"{name}.attention.norm")
        y = self.gelu(self.linear(x, f"{name}.wide", self.width, 4 * self.width))
        y = self.linear(y, f"{name}.narrow", 4 * self.width, self.width)
        return self.layer_norm(g.node("Add", x, y), f"{name}.norm")

    def positions(self, ids: str, name: str, longest: int) -> str:
        """The first S rows of a table of positions."""
        g, zero = self.g, self.g.integers(0)
        table = g.constant(self.weights(f"{name}.table", (longest, self.width)), name)
        return g.node("Slice", table, zero, self.extent(ids, 1), zero)

    def embedding(self, ids: str, name: str, rows: int) -> str:
        return self.g.node(
            "Gather", self.g.constant(self.weights(f"{name}.table", (rows, self.width)), name), ids, axis=0
        )


def encoder_stack(name: str, width: int, heads: int, layers: int, words: int, longest: int) -> GraphWriter:
    g = GraphWriter(name)
    encoder = Encoder(g, random_weights(g), width, heads)
    ids = g.input("input_ids", ["N", "S"], TensorProto.INT64)
    x = g.node("Add", encoder.embedding(ids, "words", words), encoder.positions(ids, "positions", longest))
    x = encoder.layer_norm(x, "embeddings.norm")
    for i in range(layers):
        x = encoder.layer(x, f"layer{i}")
    g.output(x, "hidden", ["N", "S", width])
    return g


def transformer() -> GraphWriter:
    """The size that benchmarks use."""
    return encoder_stack("transformer", width=256, heads=4, layers=4, words=1000, longest=512)


def transformer_tiny() -> GraphWriter:
    """The same graph, small enough to be kept with the tests."""
    return encoder_stack("transformer_tiny", width=8, heads=2, layers=1, words=1000, longest=160)
