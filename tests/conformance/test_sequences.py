"""Graphs of sequences and optionals: random ones against ONNX's reference evaluator, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import skerry
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]
OPSET = 21
WIDTH = 3
TENSOR = helper.make_tensor_type_proto(TensorProto.FLOAT, [None, WIDTH])
SEQUENCE = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))


def model_of(graph: onnx.GraphProto) -> bytes:
    opsets = [helper.make_opsetid("", OPSET)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def run(model: bytes, inputs: dict[str, Any]) -> dict[str, Any]:
    loaded = skerry.loads(model)
    assert isinstance(loaded, skerry.Model)
    return dict(loaded.session().run(inputs))


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(theirs, list):
        assert isinstance(ours, list) and len(ours) == len(theirs), f"{where}: {ours} instead of {theirs}"
        for i, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(mine, yours, f"{where}[{i}]")
    elif theirs is None:
        assert ours is None, where
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=where)
        assert ours.dtype == np.asarray(theirs).dtype and ours.shape == np.asarray(theirs).shape, where


class Grower:
    """A graph under construction. Sequences are known by how many items they have, so that positions can be right."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        # The same in what the evaluator gets right: it has no optionals that hold sequences, and no SequenceMap with
        # tensors among its inputs.
        self.plain: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.feed: dict[str, Any] = {}
        self.tensors: list[str] = []
        self.sequences: dict[str, int] = {}
        self.numbers: list[str] = []
        self.optionals: list[str] = []
        self.count = 0
        for _ in range(2):
            self.add_tensor_input()
            self.add_sequence_input()

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def whole(self, least: int, most: int) -> int:
        return int(self.random.integers(least, most + 1))

    def one_of(self, options: Any) -> Any:
        options = list(options)
        return options[self.whole(0, len(options) - 1)]

    def rows(self) -> Array:
        return np.asarray(self.random.normal(size=(self.whole(0, 3), WIDTH)), np.float32)

    def add_tensor_input(self) -> None:
        name = self.name("x")
        self.feed[name] = self.rows()
        self.inputs.append(helper.make_value_info(name, TENSOR))
        self.tensors.append(name)

    def add_sequence_input(self) -> None:
        name = self.name("s")
        self.feed[name] = [self.rows() for _ in range(self.whole(0, 4))]
        self.inputs.append(helper.make_value_info(name, SEQUENCE))
        self.sequences[name] = len(self.feed[name])

    def constant(self, value: Any, dtype: Any) -> str:
        name = self.name("c")
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, node: onnx.NodeProto, *plain: onnx.NodeProto) -> None:
        self.nodes.append(node)
        self.plain.extend(plain or [node])

    def node(self, op: str, inputs: list[str], plain: str = "", **attributes: Any) -> str:
        """The name of the result; plain: an operator that gives the same without an optional."""
        name = self.name("v")
        made = helper.make_node(op, inputs, [name], **attributes)
        self.add(made, helper.make_node(plain, inputs, [name]) if plain else made)
        return name

    def position(self, most: int) -> str:
        """Of an item, from the front or from the end."""
        at = self.whole(0, most - 1)
        return self.constant(at if self.whole(0, 1) else at - most, self.one_of([np.int32, np.int64]))

    def filled(self) -> str | None:
        found = [name for name, count in self.sequences.items() if count > 0]
        return self.one_of(found) if found else None

    # One step of each operator.

    def construct(self) -> None:
        items = [self.one_of(self.tensors) for _ in range(self.whole(1, 4))]
        self.sequences[self.node("SequenceConstruct", items)] = len(items)

    def empty(self) -> None:
        self.sequences[self.node("SequenceEmpty", [], dtype=TensorProto.FLOAT)] = 0

    def insert(self) -> None:
        source = self.one_of(self.sequences)
        count = self.sequences[source]
        inputs = [source, self.one_of(self.tensors)]
        if count > 0 and self.whole(0, 1):  # the evaluator puts what goes to the end by number at the front
            inputs.append(self.constant(self.whole(-count, count - 1), np.int64))
        self.sequences[self.node("SequenceInsert", inputs)] = count + 1

    def erase(self) -> None:
        if (source := self.filled()) is None:
            return
        count = self.sequences[source]
        inputs = [source, *([self.position(count)] if self.whole(0, 1) else [])]
        self.sequences[self.node("SequenceErase", inputs)] = count - 1

    def at(self) -> None:
        if (source := self.filled()) is not None:
            self.tensors.append(self.node("SequenceAt", [source, self.position(self.sequences[source])]))

    def length(self) -> None:
        self.numbers.append(self.node("SequenceLength", [self.one_of(self.sequences)]))

    def concat(self) -> None:
        if (source := self.filled()) is not None:
            self.tensors.append(self.node("ConcatFromSequence", [source], axis=self.one_of([0, -2])))

    def split(self) -> None:
        count = self.whole(1, 5)
        table = self.constant(self.random.normal(size=(count, WIDTH)), np.float32)
        if self.whole(0, 1):
            piece = self.whole(1, count)
            inputs, made = [table, self.constant(piece, np.int64)], -(-count // piece)
        else:
            cut = self.whole(0, count)
            inputs, made = [table, self.constant([cut, count - cut], np.int64)], 2
        self.sequences[self.node("SplitToSequence", inputs, axis=0)] = made

    def identity(self) -> None:
        source = self.one_of(self.sequences)
        self.sequences[self.node("Identity", [source])] = self.sequences[source]

    def arithmetic(self) -> None:
        source = self.one_of(self.tensors)
        self.tensors.append(self.node("Add", [source, self.constant(self.random.normal(size=WIDTH), np.float32)]))

    def branch(self) -> None:
        """Both branches read the same sequence from outside, so its length is known whichever is taken."""
        source, tensor = self.one_of(self.sequences), self.one_of(self.tensors)

        def body(at_front: bool) -> onnx.GraphProto:
            inner = self.name("b")
            position = [helper.make_node("Constant", [], [inner + "p"], value_int=0)] if at_front else []
            made = helper.make_node("SequenceInsert", [source, tensor, *([inner + "p"] if at_front else [])], [inner])
            return helper.make_graph([*position, made], inner, [], [helper.make_value_info(inner, SEQUENCE)])

        chosen = self.constant(bool(self.whole(0, 1)), np.bool_)
        made = self.node("If", [chosen], then_branch=body(self.sequences[source] > 0), else_branch=body(False))
        self.sequences[made] = self.sequences[source] + 1

    def loop(self) -> None:
        source, tensor, turns = self.one_of(self.sequences), self.one_of(self.tensors), self.whole(1, 4)
        own = self.name("l")
        nodes = [
            helper.make_node("Cast", [own + "i"], [own + "f"], to=TensorProto.FLOAT),
            helper.make_node("Add", [tensor, own + "f"], [own + "t"]),
            helper.make_node("SequenceInsert", [own + "s", own + "t"], [own + "o"]),
            helper.make_node("SequenceLength", [own + "o"], [own + "m"]),
            helper.make_node("Reshape", [own + "m", self.constant([1], np.int64)], [own + "n"]),
            helper.make_node("Identity", [own + "c"], [own + "g"]),
        ]
        scalar = [helper.make_tensor_value_info(own + "i", TensorProto.INT64, [])]
        state = [
            helper.make_tensor_value_info(own + "c", TensorProto.BOOL, []),
            helper.make_value_info(own + "s", SEQUENCE),
        ]
        results = [
            helper.make_tensor_value_info(own + "g", TensorProto.BOOL, []),
            helper.make_value_info(own + "o", SEQUENCE),
            helper.make_tensor_value_info(own + "n", TensorProto.INT64, [1]),
        ]
        body = helper.make_graph(nodes, own, scalar + state, results)
        made, lengths = self.name("v"), self.name("v")
        inputs = [self.constant(turns, np.int64), self.constant(True, np.bool_), source]
        self.add(helper.make_node("Loop", inputs, [made, lengths], body=body))
        self.sequences[made] = self.sequences[source] + turns
        self.numbers.append(lengths)

    def mapped(self) -> None:
        source, shared = self.one_of(self.sequences), self.constant(self.random.normal(size=WIDTH), np.float32)
        own, made, shapes = self.name("m"), self.name("v"), self.name("v")
        scaled = helper.make_node("Mul", [own + "x", own + "w"], [own + "y"])
        extents = helper.make_node("Shape", [own + "x"], [own + "z"])
        body = helper.make_graph(
            [scaled, extents],
            own,
            [
                helper.make_value_info(own + "x", TENSOR),
                helper.make_tensor_value_info(own + "w", TensorProto.FLOAT, [WIDTH]),
            ],
            [
                helper.make_value_info(own + "y", TENSOR),
                helper.make_tensor_value_info(own + "z", TensorProto.INT64, [2]),
            ],
        )
        node = helper.make_node("SequenceMap", [source, shared], [made, shapes], body=body)
        self.add(node, *self.as_loop(own, source, shared, [scaled, extents], [made, shapes]))
        self.sequences[made] = self.sequences[source]

    def as_loop(
        self, own: str, source: str, shared: str, body: list[onnx.NodeProto], results: list[str]
    ) -> list[onnx.NodeProto]:
        """SequenceMap as the standard's function body has it: a loop over positions."""
        inner = [
            helper.make_node("SequenceAt", [source, own + "i"], [own + "x"]),
            helper.make_node("Identity", [shared], [own + "w"]),
            *body,
            helper.make_node("SequenceInsert", [own + "a", own + "y"], [own + "b"]),
            helper.make_node("SequenceInsert", [own + "p", own + "z"], [own + "q"]),
            helper.make_node("Identity", [own + "c"], [own + "d"]),
        ]
        shapes = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.INT64, None))
        before = [helper.make_value_info(own + "a", SEQUENCE), helper.make_value_info(own + "p", shapes)]
        after = [helper.make_value_info(own + "b", SEQUENCE), helper.make_value_info(own + "q", shapes)]
        count = helper.make_tensor_value_info(own + "i", TensorProto.INT64, [])
        goes, going = (helper.make_tensor_value_info(own + name, TensorProto.BOOL, []) for name in "cd")
        loop = helper.make_graph(inner, own, [count, goes, *before], [going, *after])
        return [
            helper.make_node("SequenceLength", [source], [own + "n"]),
            helper.make_node("SequenceEmpty", [], [own + "e"], dtype=TensorProto.FLOAT),
            helper.make_node("SequenceEmpty", [], [own + "f"], dtype=TensorProto.INT64),
            helper.make_node(
                "Loop", [own + "n", self.constant(True, np.bool_), own + "e", own + "f"], results, body=loop
            ),
        ]

    def optional(self) -> None:
        if self.whole(0, 1):
            self.optionals.append(self.node("Optional", [self.one_of(self.tensors)], plain="Identity"))
            self.tensors.append(self.node("OptionalGetElement", [self.optionals[-1]], plain="Identity"))
        else:
            source = self.one_of(self.sequences)
            self.optionals.append(self.node("Optional", [source], plain="Identity"))
            self.sequences[self.node("OptionalGetElement", [self.optionals[-1]], plain="Identity")] = self.sequences[
                source
            ]
        holds = self.name("v")
        truth = helper.make_node("Identity", [self.constant(True, np.bool_)], [holds])
        self.add(helper.make_node("OptionalHasElement", [self.one_of(self.optionals)], [holds]), truth)
        self.numbers.append(holds)

    STEPS = (
        construct, empty, insert, insert, erase, at, length, concat, split, identity, arithmetic, branch, loop, mapped,
        optional,
    )  # fmt: skip

    def grow(self, steps: int) -> None:
        for _ in range(steps):
            self.one_of(self.STEPS)(self)

    def outputs(self) -> list[str]:
        made = [*self.tensors, *self.sequences, *self.numbers]
        return [name for name in made if name not in self.feed]

    def model(self, nodes: list[onnx.NodeProto] | None = None) -> bytes:
        # The type of an output is what inference makes of it; what is stated here is passed over but for its kind.
        infos = []
        for name in self.outputs():
            if name in self.sequences:
                infos.append(helper.make_value_info(name, SEQUENCE))
            elif name in self.tensors:
                infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
            else:
                infos.append(onnx.ValueInfoProto(name=name))
        for info in infos:
            if not info.HasField("type"):
                is_truth = any(n.op_type == "OptionalHasElement" and n.output[0] == info.name for n in self.nodes)
                info.type.tensor_type.elem_type = TensorProto.BOOL if is_truth else TensorProto.INT64
        made = self.nodes if nodes is None else nodes
        return model_of(helper.make_graph(made, "random", self.inputs, infos, self.constants))


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_of_sequences_give_what_the_reference_gives(seed: int) -> None:
    grower = Grower(seed)
    grower.grow(14)
    names = grower.outputs()
    theirs = ReferenceEvaluator(onnx.load_from_string(grower.model(grower.plain))).run(names, grower.feed)
    ours = run(grower.model(), grower.feed)
    for name, expected in zip(names, theirs, strict=True):
        assert_same(ours[name], expected, f"seed {seed}, {name}")


def test_a_saved_package_runs_as_the_model_did(tmp_path: Any) -> None:
    grower = Grower(1234)
    grower.grow(25)
    loaded = skerry.loads(grower.model())
    assert isinstance(loaded, skerry.Model)
    before = loaded.session().run(grower.feed)
    skerry.save(loaded, tmp_path / "s.skerry")
    again = skerry.load(tmp_path / "s.skerry")
    assert isinstance(again, skerry.Model)
    assert str(again.inputs) == str(loaded.inputs)
    after = again.session().run(grower.feed)
    for name, value in before.items():
        assert_same(after[name], value, name)


def one(op: str, inputs: list[tuple[str, Any]], output: Any, **attributes: Any) -> bytes:
    node = helper.make_node(op, [name for name, _ in inputs], ["y"], name="here", **attributes)
    infos = [helper.make_value_info(name, kind) for name, kind in inputs]
    return model_of(helper.make_graph([node], "one", infos, [helper.make_value_info("y", output)]))


INTEGER = helper.make_tensor_type_proto(TensorProto.INT64, [])
PLAIN = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
OPTIONAL = helper.make_optional_type_proto(PLAIN)
OPTIONAL_SEQUENCE = helper.make_optional_type_proto(SEQUENCE)


def test_an_optional_is_none_or_what_it_holds() -> None:
    model = one("Identity", [("x", OPTIONAL)], OPTIONAL)
    assert run(model, {"x": None})["y"] is None
    assert run(model, {})["y"] is None
    assert_same(run(model, {"x": np.array([1, 2], np.float32)})["y"], np.array([1, 2], np.float32), "y")
    nested = one("Identity", [("x", OPTIONAL_SEQUENCE)], OPTIONAL_SEQUENCE)
    assert_same(run(nested, {"x": [np.array([1], np.float32)]})["y"], [np.array([1], np.float32)], "y")
    assert run(nested, {"x": None})["y"] is None


def test_results_are_the_callers_to_write() -> None:
    given = [np.array([1, 2], np.float32), np.array([3], np.float32)]
    answer = run(one("Identity", [("x", SEQUENCE)], SEQUENCE), {"x": given})["y"]
    answer[0][0] = 7
    assert given[0][0] == 1


@pytest.mark.parametrize("position", [2, -3, 1000])
def test_a_position_outside_is_refused_at_the_node(position: int) -> None:
    model = one("SequenceAt", [("s", SEQUENCE), ("i", INTEGER)], PLAIN)
    with pytest.raises(skerry.OutOfRange, match="here"):
        run(model, {"s": [np.array([1], np.float32), np.array([2], np.float32)], "i": np.int64(position)})


def test_nothing_cannot_be_taken_out_of_an_optional() -> None:
    with pytest.raises(skerry.TypeMismatch, match=r"here.*holds nothing"):
        run(one("OptionalGetElement", [("x", OPTIONAL)], PLAIN), {"x": None})


@pytest.mark.parametrize(
    "inputs", [{"s": 3.5}, {"s": [np.array([1], np.int64)]}, {"s": None}, {"s": {"a": 1}}, {}, {"t": []}]
)
def test_what_is_no_such_sequence_is_refused_by_name(inputs: dict[str, Any]) -> None:
    with pytest.raises((skerry.TypeMismatch, skerry.InvalidArgument), match=r"'[st]'"):
        run(one("SequenceLength", [("s", SEQUENCE)], INTEGER), inputs)


@pytest.mark.parametrize(
    ("op", "inputs", "output"),
    [
        ("Relu", [("x", SEQUENCE)], PLAIN),
        ("Relu", [("x", OPTIONAL)], PLAIN),
        ("SequenceAt", [("x", PLAIN), ("i", INTEGER)], PLAIN),
        ("SequenceLength", [("x", OPTIONAL_SEQUENCE)], INTEGER),
        ("ConcatFromSequence", [("x", PLAIN)], PLAIN),
        ("SequenceInsert", [("x", SEQUENCE), ("i", INTEGER)], SEQUENCE),
        ("SequenceConstruct", [("x", PLAIN), ("i", INTEGER)], SEQUENCE),
        ("Optional", [("x", OPTIONAL)], OPTIONAL),
    ],
)
def test_a_type_that_an_operator_does_not_take_is_refused_at_the_node(op: str, inputs: Any, output: Any) -> None:
    with pytest.raises(skerry.TypeMismatch, match="here"):
        skerry.loads(one(op, inputs, output, **({"axis": 0} if op == "ConcatFromSequence" else {})))


def test_a_loop_that_appends_for_ever_ends_at_the_memory_that_is_allowed() -> None:
    nodes = [
        helper.make_node("SequenceInsert", ["s", "x"], ["o"]),
        helper.make_node("Identity", ["c"], ["g"]),
    ]
    truth = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "g")]
    body = helper.make_graph(
        nodes, "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), truth[0], helper.make_value_info("s", SEQUENCE)],
        [truth[1], helper.make_value_info("o", SEQUENCE)],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["", "", "first"], ["y"], body=body, name="here")
    graph = helper.make_graph(
        [loop], "endless", [helper.make_value_info("x", PLAIN), helper.make_value_info("first", SEQUENCE)],
        [helper.make_value_info("y", SEQUENCE)],
    )  # fmt: skip
    model = skerry.loads(model_of(graph))
    assert isinstance(model, skerry.Model)
    session = model.session(max_execution_time=1.0)
    with pytest.raises((skerry.DeadlineExceeded, skerry.LimitExceeded)):
        session.run({"x": np.array([1], np.float32), "first": []})


def test_run_with_report_says_who_takes_sequences() -> None:
    loaded = skerry.loads(one("SequenceLength", [("s", SEQUENCE)], INTEGER))
    assert isinstance(loaded, skerry.Model)
    with pytest.raises(skerry.Error):
        loaded.session().run_with_report({"s": np.array([1], np.float32)})
    assert "seq(f32[*])" in repr(loaded)
