"""Arrays that cannot be read or written are refused by a typed error that says where, what and how to mend it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.batching import BatchingManager
from skerry.compression import quantize
from skerry.engine import BackendRegistry, EdgeAIEngine, RoutedModel
from skerry.memory import OptimizedInferenceEngine, TensorPool


class Raises:
    """Something that can be asked for an array, and has none."""

    def __dlpack__(self, **asked: object) -> Any:
        raise RuntimeError("the device is lost")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


class RaisesAlways(Raises):
    def __array__(self, *asked: object, **how: object) -> Any:
        raise OSError("the file is gone")


def relu() -> skerry.Model:
    g = skerry.GraphBuilder()
    g.output(g.add("Relu", [g.input("x", ["N", 2])], name="y"))
    return g.build()


def cpu_alone() -> BackendRegistry:
    registry = BackendRegistry()
    registry.add_cpu()
    return registry


X = np.ones((1, 2), np.float32)


def read_only() -> np.ndarray:
    array = np.zeros((1, 2), np.float32)
    array.flags.writeable = False
    return array


HUGE = np.zeros((0, 2**60), np.uint8)

# What is given as `out`, and what is said about it.
OUTS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "read-only": (read_only, "out", "read-only"),
    "strided": (lambda: np.zeros((1, 4), np.float32)[:, ::2], "out", "strided"),
    "in Fortran's order": (lambda: np.zeros((2, 2), np.float32, order="F"), "out", "strided"),
    "a list": (lambda: [[0.0, 0.0]], "out", "class list is no array"),
    "of another dtype": (lambda: np.zeros((1, 2)), "'y'", "f64"),
    "of another shape": (lambda: np.zeros((2, 2), np.float32), "'y'", r"f32\[2,2\]"),
    "of texts": (lambda: np.zeros((1, 2), "U4"), "out", "element type"),
    "of bytes that are fixed": (lambda: b"12345678", "out", "read-only"),
}


@pytest.mark.parametrize("what", OUTS)
def test_a_buffer_for_the_output_that_does_not_fit_is_refused(what: str) -> None:
    make, where, said = OUTS[what]
    engine = OptimizedInferenceEngine()
    model = engine.load_model(relu())
    with pytest.raises(skerry.TypeMismatch, match=said) as caught:
        engine.run_inference(model, X, out=make())
    assert where in caught.value.where


def test_buffers_of_short_floats_are_written_in_place() -> None:
    import ml_dtypes

    g = skerry.GraphBuilder()
    g.output(g.add("Relu", [g.input("x", ["N", 2], "bf16")], name="y"))
    engine = OptimizedInferenceEngine()
    model = engine.load_model(g.build())
    out = np.zeros((1, 2), ml_dtypes.bfloat16)
    given = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)
    assert engine.run_inference(model, given, out=out) is out
    assert out.astype(np.float32).tolist() == [[1.5, 0.0]]


class Foreign:
    """An array of a library that knows DLPack alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **asked: Any) -> Any:
        return self.array.__dlpack__(**asked)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def test_buffers_of_other_libraries_are_written_in_place() -> None:
    engine = OptimizedInferenceEngine()
    model = engine.load_model(relu())
    out = np.zeros((1, 2), np.float32)
    engine.run_inference(model, X, out=Foreign(out))  # type: ignore[arg-type]
    assert out.tolist() == [[1.0, 1.0]]
    with pytest.raises(skerry.TypeMismatch, match="Foreign is no array"):
        engine.run_inference(model, X, out=Foreign(np.zeros((1, 4), np.float32)[:, ::2]))  # type: ignore[arg-type]


# What is given as an input, and what is said about it.
INPUTS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "None is no array"),
    "an object": (object(), "dtype object"),
    "an array that is lost": (Raises(), "RuntimeError: the device is lost"),
    "a file that is gone": (RaisesAlways(), "OSError: the file is gone"),
    "rows of different lengths": ([[1.0], [1.0, 2.0]], "ValueError"),
    "texts": (np.array(["a", "b"]), "dtype str"),
    "times": (np.array(["2020-01-01"], "M8[D]"), "dtype datetime64"),
    "extents that cannot be": (HUGE, r"more than 2\^58 elements"),
}


def ways_to_run() -> dict[str, Callable[[Any], Any]]:
    engine = OptimizedInferenceEngine()
    model = engine.load_model(relu())
    batching = BatchingManager(relu())
    session = relu().session()
    return {
        "an engine": lambda x: engine.run_inference(model, x),
        "an engine by name": lambda x: engine.run_inference(model, {"x": x}),
        "an engine into a buffer": lambda x: engine.run_inference(model, x, out=np.zeros((1, 2), np.float32)),
        "batches": lambda x: batching.run(x),
        "a session": lambda x: session.run({"x": x}),
        "a session's plan": lambda x: session.plan({"x": x}),
        "run()": lambda x: skerry.run(relu(), inputs={"x": x}),
    }


@pytest.mark.parametrize("what", INPUTS)
def test_what_gives_no_array_is_refused_by_the_name_of_its_input(what: str) -> None:
    given, said = INPUTS[what]
    for way, run in ways_to_run().items():
        with pytest.raises((skerry.TypeMismatch, skerry.OutOfRange), match=said) as caught:
            run(given)
        assert "input 'x'" in caught.value.where, way
        assert caught.value.hint or isinstance(caught.value, skerry.OutOfRange), way


@pytest.mark.parametrize("given", [None, 3, [1.0]])
def test_inputs_that_are_no_mapping_are_refused(given: Any) -> None:
    engine = EdgeAIEngine()
    engine.init()
    engine.load("relu", relu())
    routed = RoutedModel(relu(), cpu_alone())
    for run in (relu().session().run, routed.run, lambda inputs: engine.infer("relu", inputs)):
        with pytest.raises(skerry.TypeMismatch, match="no mapping") as caught:
            run(given)
        assert caught.value.where == "inputs"
    engine.shutdown()


def test_an_interrupt_while_an_array_is_asked_for_is_no_error_of_ours() -> None:
    class Interrupts:
        def __array__(self, *asked: object, **how: object) -> Any:
            raise KeyboardInterrupt

    class Full:
        def __array__(self, *asked: object, **how: object) -> Any:
            raise MemoryError

    for given, kind in [(Interrupts(), KeyboardInterrupt), (Full(), MemoryError)]:
        with pytest.raises(kind):
            relu().session().run({"x": given})


def test_a_model_that_is_none_is_refused_by_its_name() -> None:
    for model in (None, relu(), "model"):
        with pytest.raises(skerry.InvalidArgument, match="load_model") as caught:
            OptimizedInferenceEngine().run_inference(model, X)  # type: ignore[arg-type]
        assert caught.value.where == "model"


def classifier() -> skerry.Model:
    g = skerry.GraphBuilder()
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    g.output(g.add("MatMul", [g.input("x", ["N", 4]), g.constant(weights, "w")], name="y"))
    return g.build()


@pytest.mark.parametrize(
    "labels", [[0, 0.5, 1, 2], np.array([0, 1, np.nan, 2]), np.array([0, np.inf, 1, 2]), ["a", "b", "c", "d"]]
)
def test_labels_that_are_no_whole_numbers_are_refused_and_not_cut(labels: Any) -> None:
    data = {"x": np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)}
    with pytest.raises(skerry.InvalidArgument, match="whole") as caught:
        quantize(classifier(), data, labels=labels)
    assert caught.value.where == "labels"


def test_labels_that_are_whole_are_taken_in_any_dtype() -> None:
    data = {"x": np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)}
    reports = [
        quantize(classifier(), data, labels=labels)
        for labels in ([0, 1, 2, 0], np.array([0.0, 1.0, 2.0, 0.0]), np.array([0, 1, 2, 0], np.uint8))
    ]
    assert len(reports) == 3


SHAPES = [(0, 2**59), (2**30, 2**30, 0), (0, 2**20, 2**20, 2**20), (2**58 + 1,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_extents_that_no_tensor_has_are_refused_though_it_be_empty(shape: tuple[int, ...]) -> None:
    with pytest.raises(skerry.OutOfRange, match=r"2\^58 elements") as caught:
        TensorPool().get_buffer(shape)
    assert caught.value.where == "shape"
    g = skerry.GraphBuilder()
    wanted = g.input("shape", [len(shape)], "i64")
    g.output(g.add("Expand", [g.constant(np.ones(1, np.float32), "one"), wanted], name="y"))
    with pytest.raises(skerry.OutOfRange, match=r"2\^58 elements") as caught:
        g.build().session().run({"shape": np.array(shape, np.int64)})
    assert "y" in caught.value.where
    if 0 in shape:
        with pytest.raises(skerry.OutOfRange, match=r"2\^58 elements") as caught:
            skerry.GraphBuilder().constant(np.zeros(shape, np.uint8), "zeros")
        assert "zeros" in caught.value.where


def test_empty_tensors_of_the_largest_extents_come_as_arrays() -> None:
    for dtype in (np.uint8, np.float32, np.complex128):
        for shape in [(0, 2**58), (2**58, 0), (2**29, 0, 2**29)]:
            assert TensorPool().get_buffer(shape, dtype).shape == shape
