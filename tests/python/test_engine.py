"""The engine from Python: life of an engine and its models, backends of others, policies, devices, products."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import skerry
from numpy.typing import NDArray
from skerry.cpu import CacheOptimizedProcessor, process_batch_optimized
from skerry.engine import (
    BackendRegistry,
    CPUAccelerator,
    DeviceManager,
    EdgeAIEngine,
    MLBasedPolicy,
    MockGPUBackend,
    OptimizationChoice,
    OptimizationManager,
    RoutedModel,
    RuleBasedPolicy,
    model_features,
)

MODELS = Path(__file__).resolve().parent.parent / "data" / "models"
ONE = np.ones(1, np.float32)
SMALL = ["digits_cnn", "dscnn", "rnn_tiny", "transformer_tiny", "digits_cnn_qdq", "dscnn_qdq"]


def model_and_inputs(name: str) -> tuple[skerry.Model, dict[str, Any]]:
    model = skerry.load(MODELS / f"{name}.onnx")
    assert isinstance(model, skerry.Model)
    archive = np.load(MODELS / f"{name}.npz")
    return model, {info.name: archive[f"in_{info.name}"] for info in model.inputs}


def times(factor: float) -> skerry.Model:
    graph = skerry.GraphBuilder("times")
    x = graph.input("x", ["N"])
    graph.output(graph.add("Mul", [x, graph.constant(np.float32(factor))]), "y")
    return graph.build()


# --- the engine


def test_threads_share_an_engine_while_models_are_swapped() -> None:
    engine = EdgeAIEngine(workers=2)
    engine.init()
    engine.load("times", times(1))
    wrong: list[object] = []
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                y = engine.infer("times", {"x": np.ones(16, np.float32)})["y"]
                if not (y == y[0]).all():
                    wrong.append(y)
            except Exception as error:  # any is wrong here
                wrong.append(error)

    clients = [threading.Thread(target=client) for _ in range(3)]
    for thread in clients:
        thread.start()
    for version in range(2, 30):
        assert engine.load("times", times(version)) == version
    stop.set()
    for thread in clients:
        thread.join()
    assert wrong == []
    assert engine.infer("times", {"x": ONE})["y"][0] == 29
    assert engine.shutdown()
    assert engine.shutdown_order() == ["requests", "queue", "workers", "models", "backends"]
    assert {row["state"] for row in engine.models()} == {"unloaded"}
    with pytest.raises(skerry.Unavailable):
        engine.infer("times", {"x": ONE})


PROGRAM = """
import signal, sys, threading
import numpy as np, skerry
from skerry.engine import EdgeAIEngine
graph = skerry.GraphBuilder("products")
x = graph.input("x", [192, 192])
y = x
for _ in range(12):
    y = graph.add("MatMul", [y, x])
graph.output(y, "y")
engine = EdgeAIEngine(workers=2)
engine.init()
engine.load("products", graph.build())
answered, refused, failed = [], [], []
begun = threading.Event()
def client():
    while True:
        try:
            engine.infer("products", {"x": np.zeros((192, 192), np.float32)})
            answered.append(1)
            begun.set()
        except skerry.Unavailable:
            refused.append(1)
            return
        except BaseException as error:
            failed.append(repr(error))
            return
clients = [threading.Thread(target=client) for _ in range(4)]
def end(*_):
    drained = engine.shutdown()
    for thread in clients:
        thread.join()
    rows = engine.models()
    requests = sum(row["requests"] for row in rows)
    print(drained, len(answered) == requests, len(refused), failed, engine.state, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
for thread in clients:
    thread.start()
begun.wait()
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_a_termination_under_load_drains_what_was_taken() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "True True 4 [] stopped\n"


def test_the_engine_refuses_by_name() -> None:
    with pytest.raises(skerry.InvalidArgument, match="workers"):
        EdgeAIEngine(workers=0)
    engine = EdgeAIEngine()
    with pytest.raises(skerry.Unavailable, match="init"):
        engine.load("times", times(1))
    engine.init()
    engine.load("times", times(1))
    with pytest.raises(skerry.NotFound, match="there are times"):
        engine.infer("none", {"x": ONE})
    with pytest.raises(skerry.DeadlineExceeded):
        engine.infer("times", {"x": ONE}, timeout=0.0)
    with pytest.raises(skerry.InvalidArgument, match="missing"):
        engine.infer("times", {})


# --- backends


class NumpyBackend:
    """A backend as a third party would write it."""

    name = "numpy"
    functions: ClassVar[dict[str, Callable[..., Any]]] = {
        "Abs": np.abs,
        "Add": np.add,
        "And": np.logical_and,
        "Ceil": np.ceil,
        "Concat": lambda *x, axis: np.concatenate(x, axis),
        "Cos": np.cos,
        "Div": lambda a, b: a / b if a.dtype.kind == "f" else (np.trunc(a / b)).astype(a.dtype),
        "Equal": np.equal,
        "Exp": np.exp,
        "Floor": np.floor,
        "Greater": np.greater,
        "Identity": lambda x: x,
        "Less": np.less,
        "Log": np.log,
        "MatMul": np.matmul,
        "Max": lambda *x: np.max(np.broadcast_arrays(*x), axis=0),
        "Mul": np.multiply,
        "Neg": np.negative,
        "Not": np.logical_not,
        "Or": np.logical_or,
        "Reciprocal": lambda x: 1 / x,
        "Relu": lambda x: np.maximum(x, 0),
        "Reshape": lambda x, shape, allowzero=0: x.reshape(
            [n if n or allowzero else x.shape[i] for i, n in enumerate(shape)]
        ),
        "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "Sin": np.sin,
        "Softmax": lambda x, axis=-1: (
            np.exp(x - x.max(axis, keepdims=True)) / np.exp(x - x.max(axis, keepdims=True)).sum(axis, keepdims=True)
        ),
        "Sqrt": np.sqrt,
        "Sub": np.subtract,
        "Tanh": np.tanh,
        "Transpose": lambda x, perm=None: np.transpose(x, perm),
        "Where": np.where,
        "Xor": np.logical_xor,
    }

    def __init__(self) -> None:
        self.ran: list[str] = []

    def declines(self, op: str, attributes: dict[str, Any]) -> str | None:
        return None if op in self.functions else f"numpy has no {op} here"

    def run_node(self, op: str, attributes: dict[str, Any], inputs: list[NDArray[Any] | None]) -> Sequence[Any]:
        self.ran.append(op)
        return [np.asarray(self.functions[op](*(x for x in inputs if x is not None), **attributes))]


def node_cases(operators: set[str]) -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    return [
        case for case in cases
        if case.model is not None and len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in operators
    ]  # fmt: skip


def test_a_backend_of_forty_lines_passes_onnx_s_node_cases() -> None:
    passed = 0
    for case in node_cases(set(NumpyBackend.functions)):
        inputs, expected = case.data_sets[0]
        if not all(isinstance(x, np.ndarray) and x.dtype.kind in "fib" for x in [*inputs, *expected]):
            continue
        try:
            model = skerry.loads(case.model.SerializeToString(), case.name)
        except (skerry.Unsupported, skerry.VersionTooNew):
            continue
        assert isinstance(model, skerry.Model)
        backend, registry = NumpyBackend(), BackendRegistry()
        registry.add_python(backend, 10)
        routed = RoutedModel(model, registry)  # nobody else could do it
        outputs = routed.run(dict(zip([info.name for info in model.inputs], inputs, strict=True)))
        for info, theirs in zip(model.outputs, expected, strict=True):
            np.testing.assert_allclose(outputs[info.name], theirs, rtol=case.rtol, atol=case.atol, err_msg=case.name)
        assert backend.ran == [case.model.graph.node[0].op_type]
        passed += 1
    assert passed > 100


def test_what_a_backend_does_not_know_goes_to_the_cpu_and_copies_are_counted() -> None:
    model, inputs = model_and_inputs("transformer_tiny")
    right = model.session().run(inputs)
    backend, registry = NumpyBackend(), BackendRegistry()
    registry.add_cpu()
    registry.add_python(backend, 10)
    routed = RoutedModel(model, registry)
    for name, theirs in right.items():
        np.testing.assert_allclose(routed.run(inputs)[name], theirs, rtol=1e-4, atol=1e-5)
    report = routed.report
    assert {part[0] for part in report["parts"]} == {"numpy", "cpu"}
    assert report["boundary_copies"] > 0 and report["boundary_bytes"] > 0
    assert any("numpy has no" in reason for reason in report["reasons"])


@pytest.mark.parametrize("error", [MemoryError, skerry.Unavailable, skerry.BudgetExceeded, RuntimeError])
def test_a_backend_that_fails_in_the_middle_is_replaced(error: type[Exception]) -> None:
    model, inputs = model_and_inputs("transformer_tiny")
    right = model.session().run(inputs)

    class Failing(NumpyBackend):
        def run_node(self, op: str, attributes: dict[str, Any], inputs: list[NDArray[Any] | None]) -> Sequence[Any]:
            if len(self.ran) == 5:
                raise error("in the middle")
            return super().run_node(op, attributes, inputs)

    registry = BackendRegistry()
    registry.add_cpu()
    registry.add_python(Failing(), 10)
    routed = RoutedModel(model, registry)
    outputs = routed.run(inputs)
    for name, theirs in right.items():
        np.testing.assert_allclose(outputs[name], theirs, rtol=1e-4, atol=1e-5)
    ((failed, _, heirs),) = routed.report["recoveries"]
    assert failed == "numpy" and set(heirs) == {"cpu"}
    healthy = {row["name"]: row["healthy"] for row in registry.rows()}
    assert healthy == {"cpu": True, "numpy": error is not skerry.Unavailable}


def test_a_mistake_of_the_caller_is_not_taken_for_a_failing_device() -> None:
    class Strict(NumpyBackend):
        def run_node(self, op: str, attributes: dict[str, Any], inputs: list[NDArray[Any] | None]) -> Sequence[Any]:
            raise skerry.TypeMismatch("no such shape")

    registry = BackendRegistry()
    registry.add_cpu()
    registry.add_python(Strict(), 10)
    with pytest.raises(skerry.TypeMismatch, match="no such shape"):
        RoutedModel(times(2), registry).run({"x": ONE})


@pytest.mark.parametrize(
    ("results", "told"),
    [
        (["text"], r"is no array|i32|str"),
        ([object()], "no array"),
        ([np.zeros(3, np.float64)], "f64"),
        ([np.zeros((1, 3), np.float32)], "f32"),
        ([], "gave 0 results"),
        (7, "no list"),
        (None, "no list"),
    ],
)
def test_what_a_backend_in_python_gives_is_looked_at(results: Any, told: str) -> None:
    class Wrong(NumpyBackend):
        def run_node(self, op: str, attributes: dict[str, Any], inputs: list[NDArray[Any] | None]) -> Any:
            return results

    registry = BackendRegistry()
    registry.add_python(Wrong(), 10)
    graph = skerry.GraphBuilder("relu")
    graph.output(graph.add("Relu", [graph.input("x", [3])]), "y")
    with pytest.raises(skerry.TypeMismatch, match=told) as raised:
        RoutedModel(graph.build(), registry).run({"x": np.zeros(3, np.float32)})
    assert "numpy" in raised.value.where


def test_a_backend_in_python_has_a_name_and_says_why_it_declines() -> None:
    class Mute(NumpyBackend):
        def declines(self, op: str, attributes: dict[str, Any]) -> Any:
            return 7

    class Nameless(NumpyBackend):
        name: Any = 7

    registry = BackendRegistry()
    with pytest.raises(skerry.TypeMismatch, match="name"):
        registry.add_python(Nameless(), 10)
    registry.add_python(Mute(), 10)
    with pytest.raises(skerry.TypeMismatch, match="declines"):
        RoutedModel(times(2), registry)


def test_the_engine_runs_over_backends_and_drills_them() -> None:
    gpu, registry = MockGPUBackend(lost_at_kernel=7, operators=["Mul"]), BackendRegistry()
    registry.add_cpu()
    registry.add_mock(gpu, 5)
    engine = EdgeAIEngine(backends=registry)
    engine.init()
    engine.load("times", times(3))
    for _ in range(10):
        assert engine.infer("times", {"x": 2 * ONE})["y"][0] == 6
    assert gpu.counters()["kernels"] == 7 and not registry.rows()[0]["healthy"]
    gpu.set_faults()
    registry.restore("mock_gpu")
    routed = RoutedModel(times(3), registry)
    assert routed.run({"x": 2 * ONE})["y"][0] == 6 and gpu.counters()["kernels"] == 8


# --- policies


@pytest.mark.parametrize("name", SMALL)
def test_no_model_gets_slower_by_what_a_policy_proposes(name: str) -> None:
    model, inputs = model_and_inputs(name)
    right = model.session().run(inputs)
    manager = OptimizationManager(RuleBasedPolicy(), runs=9)
    tuned = manager.optimize(model, inputs)
    assert tuned.seconds <= 1.02 * tuned.first_seconds
    for trial in tuned.trials:
        assert trial.proposal.rule in str(RuleBasedPolicy()) and trial.proposal.rule in str(tuned)
        assert trial.kept or trial.why
    outputs = tuned.model.session(threads=tuned.choice.threads).run(inputs)
    for key, theirs in right.items():
        np.testing.assert_allclose(outputs[key], theirs, rtol=1e-3, atol=1e-3)


def test_a_policy_learns_what_it_is_told_and_remembers() -> None:
    candidates = [OptimizationChoice(threads=1), OptimizationChoice("medium")]
    policy = MLBasedPolicy(candidates, [2.0, 0.5], exploration=0.5)
    model, inputs = model_and_inputs("digits_cnn")
    features = model_features(model, inputs)
    assert features["convolutions"] > 0 and features["flops"] > 1e4
    chosen = OptimizationChoice()
    for _ in range(20):
        chosen = OptimizationChoice()
        for proposal in policy.propose(features):
            chosen = proposal.applied(chosen)
        policy.observe(features, chosen, 0.7 if chosen == candidates[0] else 1.3, 1.0)
    assert chosen == candidates[0]
    heir = MLBasedPolicy(candidates, [2.0, 0.5])
    heir.restore(policy.save())
    assert heir.observations == policy.observations == 20
    assert heir.expected_ratios(features)[0] < 1.0


def test_rules_are_text() -> None:
    policy = RuleBasedPolicy("lonely: when flops < 10 then threads 1 because there is nothing to share")
    (proposal,) = policy.propose({"flops": 5.0})
    assert (proposal.rule, proposal.reason) == ("lonely", "there is nothing to share")
    assert policy.propose({"flops": 50.0}) == []
    with pytest.raises(skerry.SyntaxError, match="rules:1"):
        RuleBasedPolicy("lonely when")


# --- devices and products


def test_the_devices_are_those_that_lscpu_tells() -> None:
    cpu = DeviceManager().devices()[0]
    told = {row["field"].rstrip(":"): row["data"] for row in json.loads(
        subprocess.run(["lscpu", "-J"], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
                       ).stdout)["lscpu"]}  # fmt: skip
    assert cpu["threads"] == int(told["CPU(s)"])
    if "Socket(s)" in told and told["Socket(s)"].isdigit():
        assert cpu["sockets"] == int(told["Socket(s)"])
        assert cpu["cores"] == int(told["Core(s) per socket"]) * int(told["Socket(s)"])
    assert cpu["usable_threads"] <= len(os.sched_getaffinity(0))
    flags = told.get("Flags", "").split()
    assert [isa for isa in cpu["isa"] if isa in ("avx2", "fma", "avx512f")] == [
        flag for flag in ("avx2", "fma", "avx512f") if flag in flags
    ]
    kinds = [device["kind"] for device in DeviceManager().devices()]
    assert ("gpu" in kinds) >= Path("/proc/driver/nvidia/gpus").exists()


def test_a_load_of_one_core_is_seen() -> None:
    manager = DeviceManager()
    manager.load("cpu")
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        pass
    load = manager.load("cpu")
    assert load["utilization"] >= 0.6 / (os.cpu_count() or 1)
    assert 0 < load["own_bytes"] <= load["used_bytes"] + load["own_bytes"]


def test_reservations_end_with_their_owner() -> None:
    manager = DeviceManager()
    first = manager.reserve("cpu", "gold", 0.6)
    with pytest.raises(skerry.BudgetExceeded):
        manager.reserve("cpu", "tin", 0.5)
    first.release()
    assert manager.unreserved_share("cpu") == pytest.approx(1.0)
    second = manager.reserve("cpu", "tin", 0.5)
    assert (second.tenant, second.share) == ("tin", 0.5)


def test_blocks_of_any_size_multiply_alike() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((257, 131), (131, 67)))
    right = a.astype(np.float64) @ b.astype(np.float64)
    for block in (16, 32, 64, 100, 128, 256):
        product = CacheOptimizedProcessor(block).blocked_matrix_multiplication(a, b)
        np.testing.assert_allclose(product, right, rtol=1e-4, atol=1e-4)
    processor = CacheOptimizedProcessor()
    assert processor.tune(a, b, [16, 64]) == processor.block_size in (16, 64)
    np.testing.assert_array_equal(processor.cache_friendly_data_layout(a), a.T)
    np.testing.assert_allclose(CPUAccelerator(2).matmul(a, b), right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["none", "relu", "sigmoid", "tanh"])
def test_a_batch_in_one_go_is_what_numpy_computes(activation: str) -> None:
    rng = np.random.default_rng(1)
    batch = (rng.normal(size=(333, 47)) * rng.uniform(0.1, 50, 47) + rng.uniform(-99, 99, 47)).astype(np.float32)
    batch[:, [0, 13, 46]] = [3.3, -1e6, 0.1]
    weights, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((47, 64), (64,)))
    wide = batch.astype(np.float64)
    deviation = wide.std(axis=0)
    normal = np.divide(wide - wide.mean(axis=0), deviation, out=np.zeros_like(wide), where=np.ptp(wide, axis=0) > 0)
    linear = normal @ weights.astype(np.float64) + bias
    functions: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "none": lambda x: x,
        "relu": lambda x: np.maximum(x, 0),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
    }
    ours = process_batch_optimized(batch, weights, bias, activation)
    assert not np.isnan(ours).any()
    np.testing.assert_allclose(ours, functions[activation](linear), rtol=1e-4, atol=1e-4)
    with pytest.raises(skerry.InvalidArgument, match="gelu"):
        process_batch_optimized(batch, weights, bias, "mish")


def test_a_profile_is_a_page_and_a_table() -> None:
    model, inputs = model_and_inputs("digits_cnn")
    profile = skerry.profile(model, inputs, runs=3)
    assert profile.flops == pytest.approx(sum(step.flops for step in profile.steps))
    assert len(re.findall("<circle", profile.html())) == sum(step.flops > 0 for step in profile.steps)
    assert "GFLOP/s" in str(profile) and profile.peaks.measured


def test_four_threads_may_share_a_routed_model() -> None:
    model, inputs = model_and_inputs("digits_cnn")
    registry = BackendRegistry()
    registry.add_cpu()
    registry.add_python(NumpyBackend(), 10)
    routed = RoutedModel(model, registry)
    right = routed.run(inputs)
    wrong: list[str] = []

    def client() -> None:
        for _ in range(20):
            outputs = routed.run(inputs)
            wrong.extend(name for name in right if not np.array_equal(outputs[name], right[name]))
            assert routed.report["parts"]

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
