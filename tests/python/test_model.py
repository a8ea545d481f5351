"""Models: equal to ONNX Runtime, arrays in and out without copies, refusals with names."""

import gc
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import skerry
from onnx import TensorProto, helper
from skerry import Model

TOLERANCE = 1e-4


def kept(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


def assert_close(ours: np.ndarray, theirs: np.ndarray, what: str) -> None:
    """Within TOLERANCE of the largest magnitude of the reference."""
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype, what
    scale = max(float(np.abs(theirs).max(initial=0)), 1e-6)
    assert np.abs(ours - theirs).max(initial=0) <= TOLERANCE * scale, what


def small(nodes: list[onnx.NodeProto], dtype: int = TensorProto.FLOAT, shape: list[int | str] | None = None) -> Model:
    """A model x -> y of these nodes."""
    info = [helper.make_tensor_value_info(name, dtype, ["N", 3] if shape is None else shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "small", info[:1], info[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = skerry.loads(made.SerializeToString())
    assert isinstance(model, Model)
    return model


def test_all_kept_models_equal_onnx_runtime(models: Path) -> None:
    paths = sorted(path for path in models.glob("*.onnx") if path.with_suffix(".npz").exists())
    assert len(paths) >= 4
    for path in paths:
        arrays = kept(path.with_suffix(".npz"))
        inputs = {name[3:]: arrays[name] for name in arrays if name.startswith("in_")}
        result = skerry.run(path, inputs=inputs)
        for name, ours in result.outputs.items():
            assert_close(ours, arrays[f"out_{name}"], f"{path.name} {name}")
        assert abs(result.predicted_bytes - result.peak_bytes) <= 0.1 * result.peak_bytes + 4e6


def test_a_model_tells_its_inputs_and_outputs(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    assert isinstance(model, Model)
    (x,) = model.inputs
    assert (x.name, x.dtype, x.shape) == ("x", "f32", ["N", 1, 8, 8])
    assert [(o.name, o.shape) for o in model.outputs] == [("logits", ["N", 10])]
    assert model.op_counts["Conv"] == 2
    assert model.weight_bytes > 10_000
    assert "Conv" in str(model)
    assert len(str(model)) < 10_000
    assert "digits_cnn" in repr(model)


def test_a_profile_has_the_steps_of_the_plan_that_do_work(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    assert isinstance(model, skerry.Model)
    session = model.session(threads=1)
    x = {"x": kept(models / "digits_cnn.npz")["in_x"]}
    steps = session.profile(x, runs=3)
    assert [step.node for step in steps] == [s.node for s in session.plan(x).steps if s.kernel != "view"]
    assert all(step.seconds > 0 and step.predicted_seconds > 0 and step.bytes > 0 for step in steps)
    with pytest.raises(skerry.InvalidArgument, match="0 runs"):
        session.profile(x, runs=0)


def test_text_and_pickle_give_the_same_model(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    assert isinstance(model, Model)
    x = kept(models / "digits_cnn.npz")["in_x"]
    expected = model.session().run({"x": x})["logits"]
    for twin in (skerry.loads(model.text()), pickle.loads(pickle.dumps(model))):
        assert isinstance(twin, Model)
        assert np.array_equal(twin.session().run({"x": x})["logits"], expected)
    with pytest.raises(skerry.Error):
        skerry.loads(model.text(max_elements=4))


def test_answers_do_not_depend_on_threads_or_batch_shape(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    assert isinstance(model, Model)
    x = np.random.default_rng(0).random((7, 1, 8, 8), np.float32)
    one, two = model.session(threads=1), model.session(threads=2)
    whole = one.run({"x": x})["logits"]
    # Another number of threads may have another kernel chosen, whose sums are in another order.
    assert np.allclose(whole, two.run({"x": x})["logits"], rtol=1e-5, atol=1e-5)
    parts = np.concatenate([one.run({"x": x[i : i + 1]})["logits"] for i in range(7)])
    assert np.allclose(parts, whole, rtol=1e-5, atol=1e-5)


def test_a_dense_input_is_read_in_place_and_outputs_are_not_overwritten() -> None:
    model = small([helper.make_node("Identity", ["x"], ["y"])])
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    session = model.session()
    first = session.run({"x": x})["y"]
    assert not np.shares_memory(first, x)
    x += 1
    second = session.run({"x": x})["y"]
    assert np.array_equal(first + 1, second)
    assert not np.shares_memory(first, second)
    first[0, 0] = 99  # outputs belong to the caller
    assert session.run({"x": x})["y"][0, 0] == 1
    del session, model
    gc.collect()
    assert second[1, 2] == 6


def test_inputs_of_any_layout_are_made_dense() -> None:
    model = small([helper.make_node("Identity", ["x"], ["y"])])
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    session = model.session()
    for x in (base[:, ::2], base[::-1, :3], np.asfortranarray(base[:, :3]), base[:2, :3].tolist()):
        given = np.asarray(x, np.float32)
        if isinstance(x, list):
            with pytest.raises(skerry.TypeMismatch):  # a list of Python floats is float64, and is not narrowed
                session.run({"x": x})
            continue
        assert np.array_equal(session.run({"x": x})["y"], given)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool"])
def test_dtypes_survive(dtype: str) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = small([helper.make_node("Identity", ["x"], ["y"])], kind)
    x = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    y = model.session().run({"x": x})["y"]
    assert y.dtype == x.dtype
    assert np.array_equal(x, y)


def test_scalars_and_empty_tensors_work() -> None:
    scalar = small([helper.make_node("Add", ["x", "x"], ["y"])], shape=[])
    scalar_model = scalar.session().run({"x": np.float32(1.5)})["y"]
    assert scalar_model.shape == ()
    assert scalar_model == 3
    empty = small([helper.make_node("Add", ["x", "x"], ["y"])])
    assert empty.session().run({"x": np.zeros((0, 3), np.float32)})["y"].shape == (0, 3)


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({}, skerry.InvalidArgument),
        ({"x": np.zeros((2, 3), np.float32), "z": np.zeros(1)}, skerry.InvalidArgument),
        ({"x": np.zeros((2, 3), np.float64)}, skerry.TypeMismatch),
        ({"x": np.zeros((2, 4), np.float32)}, skerry.TypeMismatch),
        ({"x": np.zeros((2, 3, 1), np.float32)}, skerry.TypeMismatch),
        ({"x": np.array(["a", "b"])}, skerry.TypeMismatch),
        ({"x": None}, skerry.TypeMismatch),
    ],
)
def test_wrong_inputs_are_refused_by_name(inputs, error) -> None:  # type: ignore[no-untyped-def]
    session = small([helper.make_node("Add", ["x", "x"], ["y"])]).session()
    with pytest.raises(error) as refused:
        session.run(inputs)
    assert "x" in str(refused.value) or "z" in str(refused.value)
    assert session.run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("inputs", [None, 5, "x", [1], np.zeros((1, 3), np.float32), {1: np.zeros((1, 3))}])
def test_inputs_without_names_are_refused(inputs: Any) -> None:
    session = small([helper.make_node("Add", ["x", "x"], ["y"])]).session()
    for ask in (session.run, session.run_with_report, session.plan, session.profile):
        with pytest.raises(skerry.TypeMismatch, match=r"inputs.*dict"):
            ask(inputs)


def test_a_model_refuses_what_only_circuits_take() -> None:
    model = small([helper.make_node("Add", ["x", "x"], ["y"])])
    x = {"x": np.ones((1, 3), np.float32)}
    with pytest.raises(skerry.InvalidArgument, match="shots"):
        skerry.run(model, inputs=x, shots=3)
    with pytest.raises(skerry.InvalidArgument):
        skerry.run(model, inputs=x, params=[0.1])
    with pytest.raises(skerry.Unsupported):
        model.session(precision="int8")


def test_a_memory_budget_is_refused_with_need_and_limit() -> None:
    model = small([helper.make_node("Add", ["x", "x"], ["y"])])
    with pytest.raises(skerry.BudgetExceeded) as refused:
        skerry.run(model, inputs={"x": np.zeros((1_000_000, 3), np.float32)}, max_memory_mb=1)
    assert refused.value.hint


def test_a_plan_tells_kernels_and_memory_without_running(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    plan = skerry.plan(model, inputs={"x": np.zeros((1, 1, 8, 8), np.float32)})
    assert plan.kind == "graph"
    assert {step.op for step in plan.steps} >= {"Conv", "MaxPool", "Gemm"}
    assert all(step.kernel for step in plan.steps)
    memory = plan.memory
    parts = memory.weights + memory.packed + memory.arena + memory.scratch + memory.outputs + memory.state
    assert plan.peak_bytes == parts
    assert plan.explain()


def test_threads_take_turns_on_one_session(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    assert isinstance(model, Model)
    session = model.session()
    random = np.random.default_rng(2)
    inputs = [random.random((n, 1, 8, 8), np.float32) for n in (1, 2, 3, 4)]
    expected = [session.run({"x": x})["logits"] for x in inputs]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(20):
            if not np.array_equal(session.run({"x": inputs[i]})["logits"], expected[i]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_sessions_do_not_grow_over_many_runs(models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    assert isinstance(model, Model)
    session = model.session(threads=1)
    x = np.zeros((8, 1, 8, 8), np.float32)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    for _ in range(200):
        session.run({"x": x})
    before = resident()
    for _ in range(2000):
        session.run({"x": x})
    assert resident() - before < 2_000_000


@pytest.fixture(scope="session")
def generated(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The larger models, written by tools/models."""
    folder = tmp_path_factory.mktemp("models")
    tool = root / "tools/models/make_models.py"
    names = ["mlp", "vww", "resnet8", "autoenc", "transformer", "rnn", "mobilenetv2", "resnet50"]
    subprocess.run([sys.executable, tool, folder, "--only", *names], check=True, capture_output=True)
    subprocess.run(
        [sys.executable, root / "tools/models/export_minilm.py", folder / "minilm.onnx"],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.parametrize(
    "name", ["mlp", "vww", "resnet8", "autoenc", "transformer", "rnn", "mobilenetv2", "resnet50", "minilm"]
)
def test_generated_models_equal_onnx_runtime(generated: Path, name: str) -> None:
    path = generated / f"{name}.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    theirs = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(5)
    inputs: dict[str, np.ndarray] = {}
    for info in theirs.get_inputs():
        shape = [{"N": 2, "S": 24}.get(d, d) for d in info.shape]
        if info.name == "attention_mask":
            inputs[info.name] = np.tril(np.ones(shape, np.int64), 18)
        elif info.name == "token_type_ids":
            inputs[info.name] = np.zeros(shape, np.int64)
        elif info.type == "tensor(int64)":
            inputs[info.name] = random.integers(0, 1000, shape)
        else:
            inputs[info.name] = random.standard_normal(shape, np.float32)
    expected = dict(zip([o.name for o in theirs.get_outputs()], theirs.run(None, inputs), strict=True))
    result = skerry.run(path, inputs=inputs)
    for output, ours in result.outputs.items():
        assert_close(ours, expected[output], f"{name} {output}")
