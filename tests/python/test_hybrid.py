"""Hybrids: a circuit as a node of a graph, with numpy as its oracle."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry import Circuit, GraphBuilder, Model, Observable, Parameter

W1 = np.random.default_rng(1).standard_normal((3, 2))
W2 = np.random.default_rng(2).standard_normal((2, 4))


def hybrid(dtype: type[np.floating] = np.float32) -> Model:
    """x -> W1 -> angles of a circuit -> (<Z0>, <Z1>) -> W2, where <Z0> = cos a and <Z1> = cos a cos b."""
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(2).rx(a, 0).rx(b, 1).cx(0, 1)
    g = GraphBuilder("hybrid")
    x = g.input("x", ["N", 3], {np.float32: "f32", np.float64: "f64"}[dtype])
    angles = g.add("MatMul", [x, g.constant(W1.astype(dtype), "w1")])
    values = g.circuit(circuit, angles, [Observable.parse("Z0", 2), Observable.parse("Z1", 2)])
    g.output(g.add("MatMul", [values, g.constant(W2.astype(dtype), "w2")]), "scores")
    return g.build()


def expected(x: np.ndarray) -> np.ndarray:
    angles = x @ W1
    z0 = np.cos(angles[:, 0])
    result: np.ndarray = np.stack([z0, z0 * np.cos(angles[:, 1])], 1) @ W2
    return result


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_a_hybrid_computes_its_formula(dtype: type[np.floating], tolerance: float, rows: int) -> None:
    x = np.random.default_rng(3).standard_normal((rows, 3)).astype(dtype)
    scores = hybrid(dtype).session().run({"x": x})["scores"]
    assert scores.dtype == dtype
    assert np.allclose(scores, expected(x.astype(np.float64)), atol=tolerance)


def test_its_types_are_inferred_and_its_text_shows_the_circuit() -> None:
    model = hybrid()
    assert [(o.name, o.dtype, o.shape) for o in model.outputs] == [("scores", "f32", ["N", 4])]
    assert model.op_counts == {"MatMul": 2, "circuit": 1}
    assert "rx" in str(model)


def test_it_goes_through_package_text_and_pickle(tmp_path: Path) -> None:
    x = np.random.default_rng(4).standard_normal((5, 3)).astype(np.float32)
    model = hybrid()
    skerry.save(model, tmp_path / "hybrid.skerry")
    first = model.session().run({"x": x})["scores"]
    for twin in (
        skerry.load(tmp_path / "hybrid.skerry"),
        skerry.loads(model.text()),
        pickle.loads(pickle.dumps(model)),
    ):
        assert isinstance(twin, Model)
        assert np.array_equal(twin.session().run({"x": x})["scores"], first)


def test_a_circuit_without_parameters_needs_no_input() -> None:
    g = GraphBuilder()
    g.output(g.circuit(Circuit(1).h(0), None, [Observable.parse("X0", 1)]), "x")
    assert skerry.run(g.build()).outputs["x"] == pytest.approx([1.0])


def test_operators_take_attributes_of_every_kind() -> None:
    g = GraphBuilder()
    x = g.input("x", [2, 3, 4])
    turned = g.add("Transpose", [x], perm=[2, 0, 1])
    first, second = g.add_many("Split", [turned], ["a", "b"], axis=0, num_outputs=2)
    g.output(g.add("LeakyRelu", [g.add("Sub", [first, second])], alpha=0.5), "y")
    array = np.random.default_rng(6).standard_normal((2, 3, 4)).astype(np.float32)
    y = g.build().session().run({"x": array})["y"]
    difference = array.transpose(2, 0, 1)[:2] - array.transpose(2, 0, 1)[2:]
    assert np.allclose(y, np.where(difference < 0, difference / 2, difference), atol=1e-6)


def test_mistakes_of_a_builder_are_refused() -> None:
    g, other = GraphBuilder(), GraphBuilder()
    x = g.input("x", ["N", 2])
    with pytest.raises(skerry.InvalidArgument, match="another builder"):
        other.add("Relu", [x])
    with pytest.raises(skerry.InvalidArgument, match="'x'"):
        g.input("x", [1])
    with pytest.raises(skerry.InvalidArgument):
        g.input("y", [1], dtype="float99")
    with pytest.raises(skerry.TypeMismatch, match="alpha"):
        g.add("LeakyRelu", [x], alpha=object())
    g.output(g.add("NoSuchOperator", [x]))
    with pytest.raises(skerry.Unsupported, match="NoSuchOperator"):
        g.build()


def test_a_wrong_number_of_angles_is_refused_when_built() -> None:
    g = GraphBuilder()
    angles = g.input("angles", ["N", 3])
    g.output(g.circuit(Circuit(1).rx(Parameter("a"), 0), angles, [Observable.parse("Z0", 1)]))
    with pytest.raises(skerry.Error, match="3"):
        g.build()


def onnx_hybrid(**attributes: object) -> bytes:
    """An ONNX file of one node: the operator `circuit` of the domain `skerry`, angles [N, 2] to means [N, 2]."""
    from onnx import TensorProto, helper

    node = helper.make_node("circuit", ["angles"], ["means"], name="ansatz", domain="skerry", **attributes)
    graph = helper.make_graph(
        [node],
        "hybrid",
        [helper.make_tensor_value_info("angles", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("means", TensorProto.FLOAT, ["N", 2])],
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("skerry", 1)]
    data: bytes = helper.make_model(graph, opset_imports=imports).SerializeToString()
    return data


def test_an_onnx_file_may_hold_circuits() -> None:
    pytest.importorskip("onnx")
    text = Circuit(2).rx(Parameter("a"), 0).rx(Parameter("b"), 1).cx(0, 1).text
    model = skerry.loads(onnx_hybrid(circuit=text, observables=["Z0", "0.5*Z1 + 2"]))
    assert isinstance(model, Model)
    angles = np.random.default_rng(0).uniform(-3, 3, (5, 2)).astype(np.float32)
    z0, z1 = np.cos(angles[:, 0]), np.cos(angles[:, 0]) * np.cos(angles[:, 1])
    found = skerry.run(pickle.loads(pickle.dumps(model)), inputs={"angles": angles}).outputs["means"]
    assert np.allclose(found, np.stack([z0, 0.5 * z1 + 2], 1), atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"circuit": 3, "observables": ["Z0"]}, "is no text"),
        ({"circuit": "circuit {", "observables": ["Z0"]}, "ansatz"),
        ({"circuit": "circuit { wires q[1]; }", "observables": [1]}, "no list of texts"),
        ({"circuit": "circuit { wires q[1]; }", "observables": ["Z7"]}, "ansatz"),
    ],
    ids=["number", "text", "observables", "wire"],
)
def test_a_wrong_circuit_in_an_onnx_file_is_refused_with_its_node(attributes: dict[str, object], message: str) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(skerry.Error, match=message):
        skerry.loads(onnx_hybrid(**attributes))
