"""Random valid graphs against ONNX's reference evaluator.

    python tests/conformance/test_random_graphs.py COUNT [SEED]

runs so many; the test runs a few hundred. A graph grows node by node: the evaluator computes every node at once, and
one whose result is huge, or would turn rounding into something larger, is taken back. Values are compared where a graph
ends, so that passes may do between what they like.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import skerry
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]
OPSET = 20
LARGEST, TOLERANCE = 1e4, 1e-4


class Value(NamedTuple):
    """exact: equal to the bit whoever computes it, so that steps of functions may follow."""

    name: str
    array: Array
    exact: bool


class TakenBackError(Exception):
    """A node that would not make a fair question."""


class Grower:
    """A graph under construction, and what every value is."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.values: list[Value] = []
        self.inputs: list[Value] = []
        self.constants: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.used: set[str] = set()

    # Choices.

    def whole(self, least: int, most: int) -> int:
        return int(self.random.integers(least, most + 1))

    def one_of(self, options: Any) -> Any:
        return options[self.whole(0, len(options) - 1)]

    def maybe(self) -> bool:
        return bool(self.random.integers(2))

    def array(self, shape: Any, kind: str = "f") -> Array:
        if kind == "f":
            return np.asarray(self.random.normal(size=shape), np.float32)
        if kind == "i":
            return np.asarray(self.random.integers(-5, 6, shape), np.int64)
        return np.asarray(self.random.integers(0, 2, shape), np.bool_)

    def value(self, kind: str = "f", least_rank: int = 0, exact: bool = False, rank: int | None = None) -> Value:
        """A value there is, the later ones sooner; else a new input."""
        found = [
            v
            for v in self.values
            if v.array.dtype.kind == kind
            and v.array.ndim >= least_rank
            and (rank is None or v.array.ndim == rank)
            and (v.exact or not exact)
        ]
        if found and self.whole(0, 9) > 0:
            return found[-1] if self.maybe() else found[self.whole(0, len(found) - 1)]
        shape = [self.whole(1, 5) for _ in range(self.whole(least_rank, 4) if rank is None else rank)]
        made = Value(f"x{len(self.inputs)}", self.array(shape, kind), True)
        self.inputs.append(made)
        self.values.append(made)
        return made

    def constant(self, array: Array) -> Value:
        made = Value(f"c{len(self.constants)}", array, True)
        self.constants.append(numpy_helper.from_array(array, made.name))
        return made

    def integers(self, *numbers: int) -> Value:
        return self.constant(np.array(numbers, np.int64))

    def like(self, x: Value) -> Value:
        """Something that broadcasts with x: of its shape, or with axes of 1, or with fewer axes."""
        kind = x.array.dtype.kind
        others = [v for v in self.values if v.array.dtype.kind == kind and v.array.shape == x.array.shape]
        if self.maybe():
            chosen: Value = self.one_of(others)
            return chosen
        shape = [extent if self.maybe() else 1 for extent in x.array.shape][self.whole(0, x.array.ndim) :]
        return self.constant(self.array(shape, kind))

    # Growth.

    def add(self, op: str, inputs: list[Value], exact: bool = False, outputs: int = 1, **attributes: Any) -> None:
        names = [f"v{len(self.values)}_{i}" for i in range(outputs)]
        node = helper.make_node(op, [value.name for value in inputs], names, **attributes)
        given = {value.name: value.array for value in inputs}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                results = ReferenceEvaluator(one_node(node, given)).run(None, given)
            except TypeError as error:  # its Softsign of a scalar
                raise TakenBackError from error
        for result in results:
            array = np.asarray(result)
            if array.size > 4096 or not np.all(np.isfinite(array)) or (array.size and np.abs(array).max() > LARGEST):
                raise TakenBackError
        self.nodes.append(node)
        self.used |= set(given)
        for name, result in zip(names, results, strict=True):
            self.values.append(Value(name, np.asarray(result), exact and all(value.exact for value in inputs)))

    def grow(self, nodes: int) -> None:
        while len(self.nodes) < nodes:
            with suppress(TakenBackError):
                self.one_of(RULES)(self)

    def model(self) -> onnx.ModelProto:
        symbolic = self.maybe()
        inputs = [
            helper.make_tensor_value_info(
                value.name,
                helper.np_dtype_to_tensor_dtype(value.array.dtype),
                [f"{value.name}_{i}" if symbolic else n for i, n in enumerate(value.array.shape)],
            )
            for value in self.inputs
        ]
        outputs = [
            helper.make_tensor_value_info(value.name, helper.np_dtype_to_tensor_dtype(value.array.dtype), None)
            for value in self.ends()
        ]
        graph = helper.make_graph(self.nodes, "random", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)

    def ends(self) -> list[Value]:
        inputs = {value.name for value in self.inputs}
        return [value for value in self.values if value.name not in self.used and value.name not in inputs]


def one_node(node: onnx.NodeProto, given: dict[str, Array]) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in given.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "node", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


# Rules: each adds one node.


def unary(g: Grower) -> None:
    smooth = (
        "Sigmoid",
        "Tanh",
        "Exp",
        "Erf",
        "Softplus",
        "Softsign",
        "HardSigmoid",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Gelu",
    )
    more = ("HardSwish", "Mish", "Celu", "ThresholdedRelu", "Sin", "Cos", "Atan")
    exact = ("Abs", "Neg", "Relu", "Identity")
    if g.maybe():
        g.add(g.one_of(exact), [g.value()], exact=True)
    else:
        op = g.one_of(smooth + more)
        g.add(op, [g.value(exact=op == "ThresholdedRelu")])


def steps(g: Grower) -> None:
    g.add(g.one_of(("Floor", "Ceil", "Round", "Sign")), [g.value(exact=True)], exact=True)


def binary(g: Grower) -> None:
    op = g.one_of(("Add", "Sub", "Mul", "Div", "Max", "Min"))
    a = g.value(g.one_of("fffi"))
    b = g.like(a)
    if op == "Div" and (a.array.dtype.kind == "i" or (b.array.size and np.abs(b.array).min() < 0.1)):
        raise TakenBackError
    g.add(op, [a, b] if op == "Div" or g.maybe() else [b, a], exact=True)


def compared(g: Grower) -> None:
    a = g.value(g.one_of("fi"), exact=True)
    b = g.like(a)
    if b.exact:
        g.add(g.one_of(("Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual")), [a, b], exact=True)


def logic(g: Grower) -> None:
    a = g.value("b")
    if g.maybe():
        g.add("Not", [a], exact=True)
    else:
        g.add(g.one_of(("And", "Or", "Xor")), [a, g.like(a)], exact=True)


def where(g: Grower) -> None:
    x = g.value()
    shape = [n if g.maybe() else 1 for n in x.array.shape]
    g.add("Where", [g.constant(g.array(shape, "b")), x, g.like(x)], exact=True)


def cast(g: Grower) -> None:
    kind, to = g.one_of((("i", TensorProto.FLOAT), ("b", TensorProto.FLOAT), ("b", TensorProto.INT64)))
    g.add("Cast", [g.value(kind)], exact=True, to=to)


def reduced(g: Grower) -> None:
    x = g.value(least_rank=1)
    op = g.one_of(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"))
    axes = [axis for axis in range(x.array.ndim) if g.maybe()] or [-1]
    g.add(op, [x, g.integers(*axes)], exact=op in ("ReduceMax", "ReduceMin"), keepdims=g.whole(0, 1))


def arg_extreme(g: Grower) -> None:
    x = g.value(least_rank=1, exact=True)
    g.add(g.one_of(("ArgMax", "ArgMin")), [x], exact=True, axis=g.whole(0, x.array.ndim - 1), keepdims=g.whole(0, 1))


def reshaped(g: Grower) -> None:
    x = g.value(g.one_of("fffi"))
    extents = [n for n in x.array.shape if n != 1]
    g.random.shuffle(extents)
    cut = g.whole(0, len(extents))
    shape = [*extents[:cut], *[1] * g.whole(0, 1), *([-1] if g.maybe() else extents[cut:])]
    g.add("Reshape", [x, g.integers(*shape)], exact=True)


def transposed(g: Grower) -> None:
    x = g.value(g.one_of("fffi"), least_rank=1)
    g.add("Transpose", [x], exact=True, perm=[int(axis) for axis in g.random.permutation(x.array.ndim)])


def axes_changed(g: Grower) -> None:
    x = g.value()
    units = [axis for axis, n in enumerate(x.array.shape) if n == 1]
    if units and g.maybe():
        g.add("Squeeze", [x, g.integers(g.one_of(units))], exact=True)
    elif x.array.ndim < 5:
        g.add("Unsqueeze", [x, g.integers(g.whole(0, x.array.ndim))], exact=True)


def joined(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    shape = list(x.array.shape)
    shape[axis] = g.whole(1, 3)
    parts = [x, g.constant(g.array(shape))]
    g.add("Concat", parts if g.maybe() else parts[::-1], exact=True, axis=axis)


def cut(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    extent = x.array.shape[axis]
    if g.maybe():
        first = g.whole(0, extent - 1)
        bounds = [g.integers(n) for n in (first, g.whole(first + 1, extent + 2), axis, g.whole(1, 2))]
        g.add("Slice", [x, *bounds], exact=True)
    elif extent > 1:
        left = g.whole(1, extent - 1)
        g.add("Split", [x, g.integers(left, extent - left)], exact=True, outputs=2, axis=axis)


def gathered(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.whole(0, x.array.ndim - 1)
    extent = x.array.shape[axis]
    shape = [g.whole(1, 3) for _ in range(g.whole(0, 2))]
    indices = np.asarray(g.random.integers(-extent, extent, shape), np.int64)
    g.add("Gather", [x, g.constant(indices)], exact=True, axis=axis)


def stretched(g: Grower) -> None:
    x = g.value()
    if g.maybe():
        g.add("Tile", [x, g.integers(*[g.whole(1, 2) for _ in x.array.shape])], exact=True)
    else:
        shape = [n if n > 1 else g.whole(1, 3) for n in x.array.shape]
        g.add("Expand", [x, g.integers(*[g.whole(1, 2)] * g.whole(0, 1), *shape)], exact=True)


def padded(g: Grower) -> None:
    x = g.value(least_rank=1)
    pads = [g.whole(0, 2) for _ in range(2 * x.array.ndim)]
    g.add("Pad", [x, g.integers(*pads), g.constant(np.array(0.5, np.float32))], exact=True, mode="constant")


def cumulated(g: Grower) -> None:
    x = g.value(least_rank=1)
    axis = g.constant(np.array(g.whole(0, x.array.ndim - 1), np.int64))
    g.add("CumSum", [x, axis], exclusive=g.whole(0, 1), reverse=g.whole(0, 1))


def product(g: Grower) -> None:
    x = g.value(least_rank=2)
    depth = x.array.shape[-1]
    columns = g.whole(1, 6)
    if x.array.ndim == 2 and g.maybe():
        transposed_weight = g.whole(0, 1)
        weight = g.array((columns, depth) if transposed_weight else (depth, columns))
        g.add("Gemm", [x, g.constant(weight), g.constant(g.array(columns))], transB=transposed_weight, alpha=0.5)
    else:
        lead = x.array.shape[:-2] if g.maybe() else ()
        g.add("MatMul", [x, g.constant(g.array((*lead, depth, columns)))])


def softmax(g: Grower) -> None:
    x = g.value(least_rank=1)
    if np.ptp(x.array) > 50:  # the evaluator takes the logarithm of what has become subnormal
        raise TakenBackError
    g.add(g.one_of(("Softmax", "LogSoftmax")), [x], axis=g.whole(-x.array.ndim, x.array.ndim - 1))


def normalised(g: Grower) -> None:
    x = g.value(least_rank=2)
    if x.array.std(axis=-1).min() < 0.1:  # rounding would be blown up
        raise TakenBackError
    gain, shift = (g.constant(g.array(x.array.shape[-1])) for _ in range(2))
    g.add("LayerNormalization", [x, gain, shift], axis=-1)


def image(g: Grower) -> Value:
    return g.value(rank=4)


def batch_norm(g: Grower) -> None:
    x = image(g)
    gain, shift, mean = (g.constant(g.array(x.array.shape[1])) for _ in range(3))
    variance = g.constant(np.abs(g.array(x.array.shape[1])) + np.float32(0.5))
    g.add("BatchNormalization", [x, gain, shift, mean, variance])


def convolution(g: Grower) -> None:
    x = image(g)
    channels = x.array.shape[1]
    kernel = [g.whole(1, min(3, n)) for n in x.array.shape[2:]]
    if g.whole(0, 2) == 0:
        weight, group = g.array((channels, 1, *kernel)), channels
    else:
        weight, group = g.array((g.whole(1, 6), channels, *kernel)), 1
    inputs = [x, g.constant(weight), *([g.constant(g.array(len(weight)))] if g.maybe() else [])]
    pads = [g.whole(0, n // 2) for n in kernel] * 2
    g.add("Conv", inputs, group=group, kernel_shape=kernel, pads=pads, strides=[g.whole(1, 2), g.whole(1, 2)])


def pooled(g: Grower) -> None:
    x = image(g)
    if g.whole(0, 2) == 0:
        g.add("GlobalAveragePool", [x])
        return
    kernel = [g.whole(1, min(3, n)) for n in x.array.shape[2:]]
    op = g.one_of(("MaxPool", "AveragePool"))
    g.add(op, [x], exact=op == "MaxPool", kernel_shape=kernel, strides=[g.whole(1, 2), g.whole(1, 2)])


RULES: tuple[Callable[[Grower], None], ...] = (
    *(unary, unary, binary, binary, steps, compared, logic, where, cast, reduced, arg_extreme, reshaped, transposed),
    *(axes_changed, joined, cut, gathered, stretched, padded, cumulated, product, product, softmax, normalised),
    *(batch_norm, convolution, convolution, pooled),
)


def check(seed: int) -> str:
    """What is wrong with the answer to a graph; nothing if it is right."""
    g = Grower(seed)
    g.grow(g.whole(1, 14))
    model = skerry.loads(g.model().SerializeToString(), "random")
    assert isinstance(model, skerry.Model)
    taken = {info.name for info in model.inputs}
    outputs = model.session(threads=1).run({value.name: value.array for value in g.inputs if value.name in taken})
    scale = max([1.0, *(float(np.abs(v.array).max()) for v in g.values if v.array.size and v.array.dtype.kind == "f")])
    for value in g.ends():
        ours, theirs = outputs[value.name], value.array
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            return f"{value.name} is {ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}"
        if theirs.dtype.kind != "f":
            if not np.array_equal(ours, theirs):
                return f"{value.name} differs"
        elif ours.size and not np.abs(ours - theirs).max() <= TOLERANCE * scale:
            return f"{value.name} differs by {np.abs(ours - theirs).max():.2e} of {scale:.2e}"
    return ""


def wrong_answers(first: int, count: int) -> dict[int, str]:
    found = {}
    for seed in range(first, first + count):
        try:
            wrong = check(seed)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            found[seed] = wrong
    return found


def test_random_graphs_equal_the_reference_evaluator() -> None:
    assert wrong_answers(0, 300) == {}


if __name__ == "__main__":
    count = int(sys.argv[1])
    wrong = wrong_answers(int(sys.argv[2]) if len(sys.argv) > 2 else 0, count)
    for seed, what in wrong.items():
        print(f"seed {seed}: {what}")
    print(f"{count} graphs, {len(wrong)} wrong")
    sys.exit(1 if wrong else 0)
