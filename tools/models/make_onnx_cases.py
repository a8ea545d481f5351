#!/usr/bin/env python3
"""Writes the small ONNX files that the importer's tests read and its fuzzer starts from.

    make_onnx_cases.py [FOLDER]        (default: tests/fuzz/corpus/onnx)

`ok_*.onnx` must import, `bad_*.onnx` must be refused; `src/frontend/onnx/onnx_test.cpp` says what each is about.
The bytes depend on nothing but this file and the onnx package.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    numpy_helper,
)
from onnx import helper as oh

Dims = Sequence[int | str | None]
# Accepted by us, though not by onnx's own checker.
UNUSUAL = ("ok_external", "ok_if", "ok_unordered", "ok_shadow")
CASES: dict[str, Callable[[], ModelProto]] = {}


def case(build: Callable[[], ModelProto]) -> Callable[[], ModelProto]:
    CASES[build.__name__] = build
    return build


def value(name: str, dims: Dims | None = ("N", 2), dtype: int = TensorProto.FLOAT) -> ValueInfoProto:
    return oh.make_tensor_value_info(name, dtype, dims)


def tensor(name: str, array: NDArray[np.generic] | Sequence[float]) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def floats(name: str, *numbers: float) -> TensorProto:
    return tensor(name, np.array(numbers, np.float32))


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto] | None = None,
    outputs: Sequence[ValueInfoProto] | None = None,
    weights: Sequence[TensorProto] = (),
    opset: int = 17,
    functions: Sequence[FunctionProto] = (),
    ir_version: int = 8,
    domains: dict[str, int] | None = None,
) -> ModelProto:
    graph = oh.make_graph(
        list(nodes),
        "g",
        [value("x")] if inputs is None else list(inputs),
        [value("y")] if outputs is None else list(outputs),
        list(weights),
    )
    imports = [oh.make_opsetid("", opset)] + [oh.make_opsetid(k, v) for k, v in (domains or {}).items()]
    return oh.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=ir_version)


def refer(node: NodeProto, attribute: str, outer: str, kind: AttributeProto.AttributeType) -> NodeProto:
    """Gives a node of a function an attribute whose value is the function's attribute `outer`."""
    reference = AttributeProto()
    reference.name, reference.ref_attr_name, reference.type = attribute, outer, kind
    node.attribute.append(reference)
    return node


@case
def ok_add() -> ModelProto:
    return model([oh.make_node("Add", ["x", "w"], ["y"], name="add")], weights=[floats("w", 1.5, -2)])


@case
def ok_tensors() -> ModelProto:
    """Each dtype twice, raw and listed: both must decode to the same bytes."""
    weights, outputs = [], []
    numbers = np.array([0, 1, 2, 3, 5, 7], np.int64)
    for dtype in range(1, 23):
        if dtype == TensorProto.STRING:
            continue
        name = TensorProto.DataType.Name(dtype).lower()
        array = (numbers % 2 if dtype == TensorProto.BOOL else numbers).astype(oh.tensor_dtype_to_np_dtype(dtype))
        if dtype in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64):
            array = -array
        if dtype in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
            array = array * (1 - 2j)
        raw = numpy_helper.from_array(array.reshape(2, 3), f"{name}_raw")
        listed = TensorProto(name=f"{name}_list", data_type=dtype, dims=[2, 3])
        if dtype in (TensorProto.FLOAT, TensorProto.COMPLEX64):
            listed.float_data.extend(np.frombuffer(raw.raw_data, np.float32).tolist())
        elif dtype in (TensorProto.DOUBLE, TensorProto.COMPLEX128):
            listed.double_data.extend(np.frombuffer(raw.raw_data, np.float64).tolist())
        elif dtype == TensorProto.INT64:
            listed.int64_data.extend(array.tolist())
        elif dtype in (TensorProto.UINT32, TensorProto.UINT64):
            listed.uint64_data.extend(array.tolist())
        elif dtype in (TensorProto.INT8, TensorProto.INT16, TensorProto.INT32):
            listed.int32_data.extend(array.tolist())
        else:  # floats narrower than 32 bits by their bits, four-bit integers two to an entry
            width = 2 if array.dtype.itemsize == 2 else 1
            listed.int32_data.extend(np.frombuffer(raw.raw_data, f"u{width}").tolist())
        weights += [raw, listed]
        outputs += [value(w.name, [2, 3], dtype) for w in (raw, listed)]
    return model([], [], outputs, weights, ir_version=10, opset=21)


@case
def ok_constants() -> ModelProto:
    sparse = oh.make_sparse_tensor(floats("s", 5, 7), tensor("i", np.array([1, 4], np.int64)), [2, 3])
    nodes = [
        oh.make_node("Constant", [], ["a"], value=tensor("t", np.array([[1, 2]], np.int32))),
        oh.make_node("Constant", [], ["b"], value_float=0.5),
        oh.make_node("Constant", [], ["c"], value_int=-3),
        oh.make_node("Constant", [], ["d"], value_floats=[1.0, 2.0, 3.0]),
        oh.make_node("Constant", [], ["e"], value_ints=[4, 5]),
        oh.make_node("Constant", [], ["f"], sparse_value=sparse),
    ]
    shapes = {"a": [1, 2], "b": [], "c": [], "d": [3], "e": [2], "f": [2, 3]}
    kinds = {"a": TensorProto.INT32, "c": TensorProto.INT64, "e": TensorProto.INT64}
    return model(nodes, [], [value(k, s, kinds.get(k, TensorProto.FLOAT)) for k, s in shapes.items()])


@case
def ok_sparse() -> ModelProto:
    built = model([oh.make_node("MatMul", ["x", "w"], ["y"])], outputs=[value("y", ["N", 3])])
    where = tensor("i", np.array([[0, 2], [1, 0]], np.int64))
    built.graph.sparse_initializer.append(oh.make_sparse_tensor(floats("w", 9, -9), where, [2, 3]))
    return built


def branch(name: str, *nodes: NodeProto, output: str, weights: Sequence[TensorProto] = ()) -> GraphProto:
    return oh.make_graph(list(nodes), name, [], [value(output, None)], list(weights))


@case
def ok_if() -> ModelProto:
    """The branches read `h` (made outside), `w` (a constant outside) and their own `k`; one only hands `h` through."""
    yes = branch(
        "yes",
        oh.make_node("Add", ["h", "w"], ["s"]),
        oh.make_node("Mul", ["s", "k"], ["t"]),
        output="t",
        weights=[floats("k", 2)],
    )
    no = branch("no", output="h")
    nodes = [
        oh.make_node("Relu", ["x"], ["h"]),
        oh.make_node("If", ["c"], ["y"], name="choose", then_branch=yes, else_branch=no),
    ]
    inputs = [value("x"), value("c", [], TensorProto.BOOL)]
    return model(nodes, inputs, weights=[floats("w", 1, 2)])


@case
def ok_loop() -> ModelProto:
    """Sums `x` up n times; the body reads `x` from outside, and an If in it reads it from two scopes up."""
    inner = branch("inner", oh.make_node("Add", ["acc", "x"], ["more"]), output="more")
    other = branch("other", oh.make_node("Identity", ["acc"], ["same"]), output="same")
    body = oh.make_graph(
        [
            oh.make_node("If", ["go"], ["next"], then_branch=inner, else_branch=other),
            oh.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("acc")],
        [value("go_on", [], TensorProto.BOOL), value("next"), value("next")],
    )
    body.output[2].name = "acc_seen"
    body.node.append(oh.make_node("Identity", ["acc"], ["acc_seen"]))
    nodes = [oh.make_node("Loop", ["n", "", "x"], ["y", "all"], body=body)]
    inputs = [value("x"), value("n", [], TensorProto.INT64)]
    return model(nodes, inputs, [value("y"), value("all", [None, "N", 2])])


@case
def ok_scan() -> ModelProto:
    body = oh.make_graph(
        [oh.make_node("Add", ["sum", "row"], ["total"]), oh.make_node("Identity", ["total"], ["seen"])],
        "body",
        [value("sum", [2]), value("row", [2])],
        [value("total", [2]), value("seen", [2])],
    )
    nodes = [oh.make_node("Scan", ["zero", "x"], ["y", "sums"], body=body, num_scan_inputs=1)]
    return model(nodes, outputs=[value("y", [2]), value("sums", ["N", 2])], weights=[floats("zero", 0, 0)])


@case
def ok_shadow() -> ModelProto:
    """`t` is made in one branch and read from outside by the other."""
    nodes = [
        oh.make_node("Relu", ["x"], ["t"]),
        oh.make_node(
            "If",
            ["c"],
            ["y"],
            then_branch=branch("own", oh.make_node("Neg", ["x"], ["t"]), output="t"),
            else_branch=branch("outer", oh.make_node("Abs", ["t"], ["u"]), output="u"),
        ),
    ]
    return model(nodes, [value("x"), value("c", [], TensorProto.BOOL)])


@case
def ok_function() -> ModelProto:
    """Nested functions, attributes by reference with and without default, an absent input, one handed through."""
    imports = [oh.make_opsetid("", 17), oh.make_opsetid("my", 1)]
    leaky = refer(oh.make_node("LeakyRelu", ["a"], ["b"]), "alpha", "slope", AttributeProto.FLOAT)
    constant = refer(oh.make_node("Constant", [], ["k"]), "value_float", "gain", AttributeProto.FLOAT)
    inner = oh.make_function(
        "my",
        "Scaled",
        ["a", "unused"],
        ["c", "a"],
        [leaky, constant, oh.make_node("Mul", ["b", "k"], ["c"])],
        imports,
        attributes=["slope"],
        attribute_protos=[oh.make_attribute("gain", 3.0)],
    )
    call = oh.make_node("Scaled", ["p"], ["q", "r"], domain="my")
    refer(call, "slope", "outer_slope", AttributeProto.FLOAT)
    outer = oh.make_function(
        "my", "Twice", ["p"], ["s", "r"], [call, oh.make_node("Add", ["q", "r"], ["s"])], imports, ["outer_slope"]
    )
    nodes = [
        oh.make_node("Twice", ["x"], ["h", "x1"], name="first", domain="my", outer_slope=0.25),
        oh.make_node("Twice", ["h"], ["y"], name="second", domain="my"),
    ]
    outputs = [value("y"), value("x1")]
    return model(nodes, outputs=outputs, functions=[inner, outer], domains={"my": 1})


@case
def ok_ir3() -> ModelProto:
    """Up to IR version 3 every initializer is listed as an input too."""
    return model(
        [oh.make_node("Add", ["x", "w"], ["y"])],
        [value("x"), value("w", [2])],
        weights=[floats("w", 1, 2)],
        opset=9,
        ir_version=3,
    )


@case
def ok_unordered() -> ModelProto:
    nodes = [
        oh.make_node("Neg", ["b"], ["y"]),
        oh.make_node("Relu", ["a"], ["b"]),
        oh.make_node("Abs", ["x"], ["a"]),
    ]
    return model(nodes)


@case
def ok_optional() -> ModelProto:
    nodes = [
        oh.make_node("Clip", ["x", "", "hi"], ["c"]),
        oh.make_node("Dropout", ["c", "", ""], ["y", ""]),
    ]
    return model(nodes, weights=[tensor("hi", np.array(1, np.float32))])


@case
def ok_external() -> ModelProto:
    built = model([oh.make_node("Add", ["x", "w"], ["y"])])
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": "weights.bin", "offset": "64", "length": "8"}.items():
        weight.external_data.add(key=key, value=text)
    built.graph.initializer.append(weight)
    return built


def external(**entries: str) -> ModelProto:
    built = ok_external()
    weight = built.graph.initializer[0]
    texts = {e.key: e.value for e in weight.external_data} | entries
    del weight.external_data[:]
    for key, text in texts.items():
        weight.external_data.add(key=key, value=text)
    return built


@case
def bad_external_climbs() -> ModelProto:
    return external(location="../secret.bin")


@case
def bad_external_absolute() -> ModelProto:
    return external(location="/weights.bin")


@case
def bad_external_missing() -> ModelProto:
    return external(location="nowhere.bin")


@case
def bad_external_offset() -> ModelProto:
    return external(offset="18446744073709551615")


@case
def bad_external_length() -> ModelProto:
    return external(length="12")


@case
def bad_external_number() -> ModelProto:
    return external(offset="-8")


@case
def bad_unknown() -> ModelProto:
    nodes = [
        oh.make_node("Wobble", ["x"], ["a"], name="first"),
        oh.make_node("Wobble", ["a"], ["b"], name="second"),
        oh.make_node("Frob", ["b"], ["y"], name="third", domain="org.strange"),
    ]
    return model(nodes, domains={"org.strange": 1})


@case
def bad_newer_opset() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["y"])], opset=9999)


@case
def bad_newer_ir() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["y"])], ir_version=999)


@case
def bad_no_opset() -> ModelProto:
    built = model([oh.make_node("Relu", ["x"], ["y"])])
    del built.opset_import[:]
    return built


@case
def bad_cycle() -> ModelProto:
    nodes = [
        oh.make_node("Add", ["x", "c"], ["a"], name="one"),
        oh.make_node("Relu", ["a"], ["b"], name="two"),
        oh.make_node("Neg", ["b"], ["c"], name="three"),
        oh.make_node("Neg", ["c"], ["y"], name="after"),
    ]
    return model(nodes)


@case
def bad_twice() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["y"], name="r"), oh.make_node("Neg", ["x"], ["y"], name="n")])


@case
def bad_twice_weight() -> ModelProto:
    return model([oh.make_node("Add", ["x", "w"], ["y"])], weights=[floats("w", 1, 2), floats("w", 3, 4)])


@case
def bad_overwrites_input() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["x"], name="r"), oh.make_node("Neg", ["x"], ["y"])])


@case
def bad_undefined() -> ModelProto:
    return model([oh.make_node("Add", ["x", "ghost"], ["y"], name="add")])


@case
def bad_output() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["h"])])


@case
def bad_raw_length() -> ModelProto:
    built = ok_add()
    built.graph.initializer[0].dims[:] = [3, 4]
    return built


@case
def bad_list_length() -> ModelProto:
    built = ok_add()
    weight = built.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.float_data.extend([1, 2, 3])
    return built


@case
def bad_shape() -> ModelProto:
    built = ok_add()
    built.graph.initializer[0].dims[:] = [2**62, 2**62]
    return built


@case
def bad_huge() -> ModelProto:
    """2^62 floats are 2^64 bytes, which a careless product takes for none."""
    built = ok_add()
    built.graph.initializer[0].dims[:] = [2**62]
    built.graph.initializer[0].raw_data = b""
    return built


@case
def bad_negative_dim() -> ModelProto:
    built = ok_add()
    built.graph.initializer[0].dims[:] = [-2]
    return built


@case
def bad_rank() -> ModelProto:
    built = ok_add()
    built.graph.initializer[0].dims[:] = [2] + [1] * 8
    return built


@case
def ok_strings() -> ModelProto:
    """Strings as a weight, as both kinds of Constant, and as an attribute."""
    words = oh.make_tensor("words", TensorProto.STRING, [2], [b"a", "\u00e9".encode()])
    nodes = [
        oh.make_node("Constant", [], ["one"], value_string=b"-"),
        oh.make_node("Constant", [], ["two"], value_strings=[b"b", b"c"]),
        oh.make_node("Equal", ["words", "two"], ["same"]),
        oh.make_node("Where", ["same", "words", "one"], ["chosen"]),
        oh.make_node("StringNormalizer", ["chosen"], ["y"], stopwords=[b"a"], case_change_action="UPPER"),
    ]
    return model(nodes, [], [value("y", [None], TensorProto.STRING)], [words], opset=21, ir_version=10)


@case
def ok_sequences() -> ModelProto:
    """Sequences and optionals as inputs, outputs and states, and the type of an optional that holds nothing."""
    floats_of = oh.make_tensor_type_proto(TensorProto.FLOAT, None)
    sequence = oh.make_sequence_type_proto(floats_of)
    optional = oh.make_optional_type_proto(sequence)
    body = oh.make_graph(
        [oh.make_node("SequenceInsert", ["t", "x"], ["u"]), oh.make_node("Identity", ["c"], ["d"])],
        "body",
        [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), oh.make_value_info("t", sequence)],
        [value("d", [], TensorProto.BOOL), oh.make_value_info("u", sequence)],
    )
    each = oh.make_graph([oh.make_node("Neg", ["a"], ["b"])], "each", [oh.make_value_info("a", floats_of)],
                         [oh.make_value_info("b", floats_of)])  # fmt: skip
    nodes = [
        oh.make_node("OptionalGetElement", ["o"], ["s"]),
        oh.make_node("Loop", ["n", "", "s"], ["v"], body=body),
        oh.make_node("SequenceMap", ["v"], ["m"], body=each),
        oh.make_node("Optional", [], ["none"], type=sequence),
    ]
    inputs = [value("x"), oh.make_value_info("o", optional), value("n", [], TensorProto.INT64)]
    outputs = [oh.make_value_info("m", sequence), oh.make_value_info("none", optional)]
    return model(nodes, inputs, outputs, opset=21, ir_version=10)


@case
def bad_string() -> ModelProto:
    names = oh.make_tensor("names", TensorProto.STRING, [2], [b"a", b"b"])
    del names.string_data[1:]
    return model([oh.make_node("Relu", ["x"], ["y"])], weights=[names])


@case
def bad_string_bytes() -> ModelProto:
    names = oh.make_tensor("names", TensorProto.STRING, [1], [b"\xff\xfe"])
    return model([oh.make_node("Relu", ["x"], ["y"])], weights=[names])


@case
def bad_float6() -> ModelProto:
    weight = TensorProto(name="w", data_type=27, dims=[2], raw_data=b"\x11")
    return model([oh.make_node("Relu", ["x"], ["y"])], weights=[weight])


@case
def bad_sequence() -> ModelProto:
    info = oh.make_tensor_sequence_value_info("x", TensorProto.FLOAT, ["N"])
    return model([oh.make_node("Relu", ["x"], ["y"])], [info])


FLOATS = oh.make_tensor_type_proto(TensorProto.FLOAT, [1])
for _name, _kind in {
    "bad_map_key": oh.make_map_type_proto(TensorProto.INT32, FLOATS),
    "bad_sequence_depth": reduce(lambda kind, _: oh.make_sequence_type_proto(kind), range(40), FLOATS),
    "bad_sequence_of_nothing": TypeProto(sequence_type=TypeProto.Sequence()),
}.items():
    CASES[_name] = partial(
        lambda kind: model([oh.make_node("Identity", ["x"], ["y"])], [oh.make_value_info("x", kind)]), _kind
    )


@case
def bad_sequence_output() -> ModelProto:
    return model(
        [oh.make_node("Relu", ["x"], ["y"])], outputs=[oh.make_value_info("y", oh.make_sequence_type_proto(FLOATS))]
    )


@case
def bad_sparse_index() -> ModelProto:
    built = ok_sparse()
    built.graph.sparse_initializer[0].indices.CopyFrom(tensor("i", np.array([[0, 2], [2, 0]], np.int64)))
    return built


@case
def bad_sparse_huge() -> ModelProto:
    built = ok_sparse()
    built.graph.sparse_initializer[0].dims[:] = [2**20, 2**20]
    return built


@case
def bad_recursion() -> ModelProto:
    imports = [oh.make_opsetid("", 17), oh.make_opsetid("my", 1)]
    ping = oh.make_function("my", "Ping", ["a"], ["b"], [oh.make_node("Pong", ["a"], ["b"], domain="my")], imports)
    pong = oh.make_function("my", "Pong", ["a"], ["b"], [oh.make_node("Ping", ["a"], ["b"], domain="my")], imports)
    call = oh.make_node("Ping", ["x"], ["y"], domain="my")
    return model([call], functions=[ping, pong], domains={"my": 1})


@case
def bad_call() -> ModelProto:
    imports = [oh.make_opsetid("", 17)]
    one = oh.make_function("my", "One", ["a"], ["b"], [oh.make_node("Relu", ["a"], ["b"])], imports)
    call = oh.make_node("One", ["x", "x"], ["y"], name="call", domain="my")
    return model([call], functions=[one], domains={"my": 1})


@case
def bad_reference() -> ModelProto:
    node = refer(oh.make_node("LeakyRelu", ["x"], ["y"], name="leaky"), "alpha", "slope", AttributeProto.FLOAT)
    return model([node])


@case
def bad_no_type() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["y"])], [ValueInfoProto(name="x")])


@case
def bad_output_dtype() -> ModelProto:
    return model([oh.make_node("Relu", ["x"], ["y"])], outputs=[value("y", ["N", 2], TensorProto.INT64)])


@case
def bad_two_values() -> ModelProto:
    node = oh.make_node("Constant", [], ["k"], name="k", value_int=1, value_float=2.0)
    return model([node, oh.make_node("Relu", ["x"], ["y"])])


@case
def bad_expansion() -> ModelProto:
    """Thirty functions that each call the next one twice: 2^30 nodes once inlined."""
    imports = [oh.make_opsetid("", 17), oh.make_opsetid("my", 1)]
    functions = []
    for i in range(30):
        op, domain = ("Neg", "") if i == 29 else (f"F{i + 1}", "my")
        nodes = [oh.make_node(op, ["a"], ["m"], domain=domain), oh.make_node(op, ["m"], ["b"], domain=domain)]
        functions.append(oh.make_function("my", f"F{i}", ["a"], ["b"], nodes, imports))
    return model([oh.make_node("F0", ["x"], ["y"], domain="my")], functions=functions, domains={"my": 1})


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in CASES.items():
        built = build()
        if name.startswith("ok_") and name not in UNUSUAL:
            onnx.checker.check_model(built)
        (folder / f"{name}.onnx").write_bytes(built.SerializeToString(deterministic=True))
    weights = np.zeros(18, np.float32)
    weights[16:] = [1.5, -2]
    (folder / "weights.bin").write_bytes(weights.tobytes())
    print(f"{len(CASES)} models in {folder}")


if __name__ == "__main__":
    here = Path(__file__).resolve().parents[2]
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/fuzz/corpus/onnx")
