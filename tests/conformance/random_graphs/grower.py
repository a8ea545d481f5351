"""A graph that grows node by node; the reference evaluator computes every node at once.

A node whose result is huge, or would turn rounding into something larger, is taken back.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]
OLDEST_OPSET, NEWEST_OPSET = 13, 28
LARGEST = 1e4
MOST_ELEMENTS = 4096

# Whose result of floats of fewer bits is one of its inputs, or known to the bit.
MOVES = frozenset(
    {
        *("Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Slice", "Split", "Tile"),
        *("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "Expand", "Pad", "Where", "Compress"),
        *("Max", "Min", "Abs", "Neg", "Relu", "Clip", "Floor", "Ceil", "Round", "Sign", "MaxPool", "ReduceMax"),
        *("ReduceMin", "DepthToSpace", "SpaceToDepth", "Trilu", "TopK", "If"),
    }
)


class Value(NamedTuple):
    """exact: equal to the bit whoever computes it, so that steps of functions may follow.

    slack: of what was rounded to quanta, how far a right answer may be away; nobody but its rule goes on with it.
    """

    name: str
    array: Array
    exact: bool
    slack: Array | None = None


class TakenBackError(Exception):
    """A node that would not make a fair question."""


def one_node(node: onnx.NodeProto, given: dict[str, Array], opset: int) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in given.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "node", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def with_conditions(nodes: Sequence[onnx.NodeProto], true: str) -> list[onnx.NodeProto]:
    """The nodes, a loop without a condition being given a true one, which ONNX says is the same.

    The evaluator's Loop (onnx/reference/ops/op_loop.py) asks `while cond`, and makes no turn when there is none.
    """
    copies = []
    for node in nodes:
        copies.append(onnx.NodeProto())
        copies[-1].CopyFrom(node)
        if node.op_type == "Loop" and not node.input[1]:
            copies[-1].input[1] = true
    return copies


def computed(node: onnx.NodeProto, given: dict[str, Array], opset: int) -> list[Array]:
    if node.op_type == "Loop":
        (node,) = with_conditions([node], "always")
        given = given | {"always": np.array(True)}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [np.asarray(a) for a in ReferenceEvaluator(one_node(node, given, opset)).run(None, given)]


class Grower:
    """A graph under construction, and what every value is.

    low: the graph is grown in float32 over numbers that the type of fewer bits has too, and written in that type.
    """

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.values: list[Value] = []
        self.inputs: list[Value] = []
        self.constants: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.used: set[str] = set()
        self.wide: set[str] = set()  # constants that stay float32 whatever the graph's type is
        self.opset = self.whole(OLDEST_OPSET, NEWEST_OPSET)
        self.low: str = self.one_of(("", "", "", "", "", "float16", "float16", "bfloat16"))
        self.prefix = ""
        self.depth = 0
        self.rules: Sequence[Callable[[Any], None]] = ()

    # Choices.

    def whole(self, least: int, most: int) -> int:
        return int(self.random.integers(least, most + 1))

    def one_of(self, options: Any) -> Any:
        return options[self.whole(0, len(options) - 1)]

    def maybe(self) -> bool:
        return bool(self.random.integers(2))

    def rounded(self, array: Array) -> Array:
        """Floats that the graph's type has."""
        if not self.low or array.dtype != np.float32:
            return array
        with np.errstate(all="ignore"):
            low = ml_dtypes.bfloat16 if self.low == "bfloat16" else np.float16
            return array.astype(low).astype(np.float32)

    def array(self, shape: Any, kind: str = "f") -> Array:
        if kind == "f":
            return self.rounded(np.asarray(self.random.normal(size=shape), np.float32))
        if kind == "i":
            return np.asarray(self.random.integers(-5, 6, shape), np.int64)
        return np.asarray(self.random.integers(0, 2, shape), np.bool_)

    # Values.

    def there(self) -> list[Value]:
        """What a node may read."""
        return self.values

    def made(self, array: Array) -> Value:
        made = Value(f"x{len(self.inputs)}", array, True)
        self.inputs.append(made)
        self.values.append(made)
        return made

    def value(self, kind: str = "f", least_rank: int = 0, exact: bool = False, rank: int | None = None) -> Value:
        """A value there is, the later ones sooner; else a new input."""
        found = [
            v
            for v in self.there()
            if v.array.dtype.kind == kind
            and v.array.dtype in (np.float32, np.int64, np.bool_)
            and v.array.ndim >= least_rank
            and (rank is None or v.array.ndim == rank)
            and (v.exact or not exact)
            and v.slack is None
            and v.array.size > 0
        ]
        if found and self.whole(0, 9) > 0:
            return found[-1] if self.maybe() else found[self.whole(0, len(found) - 1)]
        shape = [self.whole(1, 5) for _ in range(self.whole(least_rank, 4) if rank is None else rank)]
        return self.made(self.array(shape, kind))

    def constant(self, array: Array) -> Value:
        made = Value(f"{self.prefix}c{len(self.constants)}", self.rounded(array), True)
        self.constants.append(numpy_helper.from_array(made.array, made.name))
        return made

    def integers(self, *numbers: int) -> Value:
        return self.constant(np.array(numbers, np.int64))

    def like(self, x: Value) -> Value:
        """Something that broadcasts with x: of its shape, or with axes of 1, or with fewer axes."""
        kind = x.array.dtype.kind
        others = [
            v
            for v in self.there()
            if v.array.dtype == x.array.dtype and v.array.shape == x.array.shape and v.slack is None
        ]
        if others and self.maybe():
            chosen: Value = self.one_of(others)
            return chosen
        shape = [extent if self.maybe() else 1 for extent in x.array.shape][self.whole(0, x.array.ndim) :]
        return self.constant(self.array(shape, kind))

    # Growth.

    def check_types(self, op: str, inputs: Sequence[Value | None], attributes: dict[str, Any]) -> None:
        """Takes back what the operator of this opset does not know: inputs, attributes, types."""
        if not onnx.defs.has(op, self.opset, ""):
            raise TakenBackError
        schema = onnx.defs.get_schema(op, self.opset, "")
        if len(inputs) > schema.max_input or any(name not in schema.attributes for name in attributes):
            raise TakenBackError
        for i, value in enumerate(inputs):
            if value is None:
                continue
            types = schema.inputs[min(i, len(schema.inputs) - 1)].types
            dtype = value.array.dtype
            name = helper.tensor_dtype_to_string(helper.np_dtype_to_tensor_dtype(dtype)).split(".")[-1].lower()
            if self.low and dtype == np.float32:
                if f"tensor({self.low})" in types:
                    continue
                if all(constant.name != value.name for constant in self.constants):
                    raise TakenBackError
                self.wide.add(value.name)
            if f"tensor({name})" not in types:
                raise TakenBackError
        if self.low:
            for output in schema.outputs:
                if "tensor(float)" in output.types and f"tensor({self.low})" not in output.types:
                    raise TakenBackError

    def add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        exact: bool = False,
        outputs: int = 1,
        seen: Sequence[Value] = (),
        mended: Callable[[list[Array]], list[Array]] = list,
        **attributes: Any,
    ) -> list[Value]:
        """A node. exact: whether its results are equal to the bit if its inputs are. seen: what its bodies read.
        mended: what the evaluator's results should have been."""
        self.check_types(op, inputs, attributes)
        names = [f"{self.prefix}v{len(self.values)}_{i}" for i in range(outputs)]
        node = helper.make_node(op, ["" if v is None else v.name for v in inputs], names, **attributes)
        read = [*(v for v in inputs if v is not None), *seen]
        given = {value.name: value.array for value in read}
        try:
            results = mended(computed(node, given, self.opset))
        except Exception as error:  # what the evaluator cannot do at all is no question
            raise TakenBackError from error
        for array in results:
            if array.size > MOST_ELEMENTS or array.dtype == np.float64:
                raise TakenBackError
            if not np.all(np.isfinite(array)) or (array.size and np.abs(array.astype(np.float64)).max() > LARGEST):
                raise TakenBackError
        self.nodes.append(node)
        self.used |= set(given)
        made = []
        for name, array in zip(names, results, strict=True):
            is_moved = not self.low or op in MOVES or array.dtype.kind != "f"
            made.append(Value(name, array, exact and is_moved and all(value.exact for value in read)))
        self.values += made
        return made

    def grow(self, nodes: int) -> None:
        tries = 0
        while len(self.nodes) < nodes and tries < 400:
            tries += 1
            with suppress(TakenBackError):
                self.one_of(self.rules)(self)

    def ends(self) -> list[Value]:
        inputs = {value.name for value in self.inputs}
        return [value for value in self.values if value.name not in self.used and value.name not in inputs]

    def slackened(self, value: Value, slack: Array) -> Value:
        """The same value, known to lie so far from what others compute."""
        made = value._replace(slack=slack, exact=False)
        self.values[self.values.index(next(v for v in self.values if v.name == value.name))] = made
        return made


class Body(Grower):
    """The graph of a branch or a loop: it reads what is around it, and makes no inputs of its own."""

    def __init__(self, around: Grower, own: Sequence[Value] = ()) -> None:
        self.random, self.opset, self.low, self.wide = around.random, around.opset, around.low, around.wide
        self.around = around
        self.prefix = f"{around.prefix}b{len(around.values)}{'ab'[around.whole(0, 1)]}{around.whole(0, 10**6)}_"
        self.depth = around.depth + 1
        self.values, self.inputs = list(own), list(own)
        self.constants, self.nodes, self.used = [], [], set()
        self.rules = around.rules

    def there(self) -> list[Value]:
        return [*self.around.there(), *self.values]

    def made(self, array: Array) -> Value:
        return self.constant(array)

    def captured(self) -> list[Value]:
        """What it reads of the graphs around it."""
        own = {value.name for value in self.values} | {constant.name for constant in self.constants}
        return [value for value in self.around.there() if value.name in self.used and value.name not in own]

    def graph(self, outputs: Sequence[Value]) -> onnx.GraphProto:
        return helper.make_graph(
            self.nodes,
            self.prefix + "body",
            [type_info(value) for value in self.inputs],
            [type_info(value, False) for value in outputs],
            self.constants,
        )


def type_info(value: Value, shaped: bool = True, name: str = "") -> onnx.ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(value.array.dtype)
    return helper.make_tensor_value_info(name or value.name, dtype, value.array.shape if shaped else None)
