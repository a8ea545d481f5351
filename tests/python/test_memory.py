"""Memory, buffers, models that are loaded once, batches, profiles and metrics, as Python sees them."""

import gc
import json
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
import skerry
from numpy.typing import NDArray
from skerry.batching import BatchingManager, BatchOptimizer, BatchScheduler
from skerry.engine import MockGPUBackend
from skerry.memory import LazyLoadedModel, MemoryManager, OptimizedInferenceEngine, TensorPool, memory_map_file
from skerry.profiling import HARDWARE_EVENTS, MetricsCollector, PerformanceCounter, Profiler

LAYERS, WIDTH = 16, 4096  # 16 weights of 64 MiB: 1 GiB


def in_fresh_process(program: str, *arguments: object) -> dict[str, float]:
    """What the program prints as JSON; it has rss(), bytes in memory, and `sys.argv`."""
    head = """
        import gc, json, sys, time
        import numpy as np
        import skerry, skerry.memory
        def rss():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096
    """
    code = textwrap.dedent(head) + textwrap.dedent(program)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def gigabyte(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a gigabyte of weights in a file of holes, which takes no room on the disk."""
    folder = tmp_path_factory.mktemp("gigabyte")
    each = WIDTH * WIDTH * 4
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(LAYERS * each)
    weights, nodes, last = [], [], "x"
    for i in range(LAYERS):
        tensor = onnx.TensorProto(name=f"w{i}", data_type=onnx.TensorProto.FLOAT, dims=[WIDTH, WIDTH])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", str(i * each)), ("length", str(each))):
            tensor.external_data.add(key=key, value=value)
        weights.append(tensor)
        nodes.append(onnx.helper.make_node("MatMul", [last, f"w{i}"], [last := f"h{i}"]))
    ports = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, WIDTH]) for n in ("x", last)]
    graph = onnx.helper.make_graph(nodes, "large", ports[:1], ports[1:], weights)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    (folder / "large.onnx").write_bytes(made.SerializeToString())
    return folder / "large.onnx"


def perceptron(width: int = 32, rows: int | str = "N") -> skerry.Model:
    random = np.random.default_rng(width)
    g = skerry.GraphBuilder()
    x = g.input("x", [rows, width])
    first = g.constant(random.normal(0, 0.05, (width, width)).astype(np.float32), "w1")
    second = g.constant(random.normal(0, 0.05, (width, width)).astype(np.float32), "w2")
    g.output(g.add("MatMul", [g.add("Relu", [g.add("MatMul", [x, first])]), second], name="y"))
    return g.build()


def rows_of(count: int, width: int = 32) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(size=(count, width)).astype(np.float32)


def test_a_model_of_a_gigabyte_loads_at_once_and_takes_no_memory(gigabyte: Path) -> None:
    took = in_fresh_process(
        """
        before, best = rss(), 1.0
        for _ in range(3):
            begin = time.perf_counter()
            model = skerry.load(sys.argv[1])
            best = min(best, time.perf_counter() - begin)
        session = model.session()
        print(json.dumps({"seconds": best, "rise": rss() - before, "bytes": model.weight_bytes}))
        """,
        gigabyte,
    )
    assert took["bytes"] == 2**30
    assert took["seconds"] < 0.05
    assert took["rise"] < 20e6


def test_touching_one_layer_brings_in_that_layer(gigabyte: Path) -> None:
    took = in_fresh_process(
        """
        model = skerry.memory.LazyLoadedModel(sys.argv[1])
        weights = model.weights
        np.zeros(8).max()  # what numpy itself needs the first time
        before = rss()
        views = dict(weights)
        viewed = rss()
        total = float(views["w7"].max())
        print(json.dumps({"viewed": viewed - before, "touched": rss() - viewed, "count": len(weights)}))
        """,
        gigabyte,
    )
    assert took["count"] == LAYERS
    assert took["viewed"] < 1e6
    assert took["touched"] == pytest.approx(WIDTH * WIDTH * 4, rel=0.05)


def test_a_large_input_is_read_where_it_is() -> None:
    took = in_fresh_process(
        """
        g = skerry.GraphBuilder()
        g.output(g.add("ReduceMax", [g.input("x", ["N"])], name="y", keepdims=0))
        session = g.build().session()
        session.run({"x": np.ones(16, np.float32)})
        x = np.zeros(2**26, np.float32)
        x[::1024] = 1.0  # a page at a time
        before = rss()
        y = session.run({"x": x})["y"]
        print(json.dumps({"rise": rss() - before, "bytes": x.nbytes, "y": float(y)}))
        """
    )
    assert took["y"] == 1.0
    assert took["bytes"] == 2**28
    assert took["rise"] < 0.01 * took["bytes"]


def test_idle_models_leave_memory_and_answer_the_same_again(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        skerry.save(perceptron(1024), tmp_path / f"{name}.skerry")
    took = in_fresh_process(
        """
        engine = skerry.memory.OptimizedInferenceEngine()
        x = np.random.default_rng(0).normal(size=(2048, 1024)).astype(np.float32)
        models = [engine.load_model(f"{sys.argv[1]}/{name}.skerry") for name in "abc"]
        before = [engine.run_inference(model, x).copy() for model in models]
        gc.collect()
        busy = rss()
        report = engine.rest()
        idle = rss()
        same = all((engine.run_inference(m, x) == y).all() for m, y in zip(models, before))
        print(json.dumps({"busy": busy, "idle": idle, "models": report.models, "same": same}))
        """,
        tmp_path,
    )
    assert took["models"] == 3
    assert took["same"]
    assert took["idle"] <= 0.7 * took["busy"]


def test_what_varying_shapes_leave_behind_is_what_the_largest_plan_says() -> None:
    memory = MemoryManager()
    model = perceptron(64)
    engine = OptimizedInferenceEngine(memory)
    loaded = engine.load_model(model)
    for count in (1, 500, 3, 1000, 17, 250):
        engine.run_inference(loaded, rows_of(count, 64))
    plan = model.session().plan({"x": rows_of(1000, 64)})
    held = memory.usage().tags[loaded.handle.name] if loaded.handle else 0
    assert held <= 1.05 * (plan.peak_bytes - plan.memory.outputs)
    assert held >= plan.memory.arena


def test_the_manager_counts_what_a_scope_takes() -> None:
    memory = MemoryManager(limit_mb=40, kind="pool")
    with memory.scope("state"):
        result = skerry.run(skerry.Circuit(20).h(0), state=True)
    assert memory.usage().tags["state"] >= 2**24
    asked: list[tuple[int, int]] = []
    held = [result]
    del result

    def relieve(used: int, limit: int) -> None:
        asked.append((used, limit))
        held.clear()

    number = memory.on_pressure(1.0, relieve)
    with memory.scope("next"):
        second = skerry.run(skerry.Circuit(21).h(0), state=True)
    assert asked
    assert asked[0][1] == 40_000_000
    assert memory.usage().tags["state"] == 0
    memory.remove_pressure(number)
    with memory.scope("third"), pytest.raises(skerry.BudgetExceeded):
        skerry.run(skerry.Circuit(20).h(0), state=True)
    assert memory.usage().used == sum(memory.usage().tags.values()) >= 2**25
    del second
    assert memory.usage().peak <= 40_000_000


def test_memory_that_the_machine_lacks_says_why() -> None:
    for kind in ("device", "unified"):
        try:
            MemoryManager(kind=kind)
        except (skerry.Unavailable, skerry.Unsupported) as error:
            assert error.hint
    with pytest.raises(skerry.InvalidArgument, match="system, pool, device or unified"):
        MemoryManager(kind="swap")
    with pytest.raises(skerry.InvalidArgument):
        MemoryManager(limit_mb=-1)


def test_a_mapped_file_is_its_bytes_and_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(range(256)) * 64)
    mapped = memory_map_file(tmp_path / "x.bin")
    assert bytes(mapped) == (tmp_path / "x.bin").read_bytes()
    assert not mapped.flags.writeable
    (tmp_path / "empty").touch()
    assert memory_map_file(tmp_path / "empty").shape == (0,)
    with pytest.raises(skerry.NotFound):
        memory_map_file(tmp_path / "missing")


def test_the_pool_hands_out_cleared_buffers_and_refuses_a_second_return() -> None:
    pool = TensorPool(max_buffers=100)
    pool.preallocate_buffers((2, 3), (4,), 5)
    assert pool.waiting == 30
    buffer = pool.get_buffer((7, 7))
    place = buffer.ctypes.data
    buffer[:] = 3.0
    pool.return_buffer(buffer)
    assert not buffer.any()
    with pytest.raises(skerry.InvalidArgument):
        pool.return_buffer(buffer)
    assert pool.get_buffer((7, 7)).ctypes.data == place
    assert pool.get_buffer((7, 7), np.int64).dtype == np.int64
    with pytest.raises(skerry.InvalidArgument):
        pool.return_buffer(np.zeros((7, 7), np.float32))


@pytest.mark.parametrize("shape", [("a", 2), (2.5,), 2.5, [[1]], object()])
def test_a_shape_that_is_none_is_refused_by_its_name(shape: Any) -> None:
    with pytest.raises(skerry.TypeMismatch, match=r"shape.*extent"):
        TensorPool().get_buffer(shape)
    with pytest.raises(skerry.TypeMismatch, match=r"shape.*extent"):
        TensorPool().preallocate_buffers(shape)


def test_settings_that_are_none_are_refused_by_their_name() -> None:
    with pytest.raises(skerry.InvalidArgument, match="max_queue"):
        BatchingManager(perceptron(), max_queue=0)
    with pytest.raises(skerry.InvalidArgument, match="threads"):
        BatchingManager(perceptron(), threads=-1)
    for seconds in (-1.0, float("nan")):
        with pytest.raises(skerry.InvalidArgument, match="unused_for"):
            OptimizedInferenceEngine().rest(unused_for=seconds)


@pytest.mark.parametrize("seconds", [float("nan"), -1.0, float("-inf")])
def test_a_time_that_is_none_is_refused_by_its_name(seconds: float) -> None:
    graph = skerry.GraphBuilder()
    graph.output(graph.add("Relu", [graph.input("x", ["N", 1])], name="y"))
    batching = BatchingManager(graph.build())
    with pytest.raises(skerry.InvalidArgument, match="timeout"):
        batching.run({"x": np.zeros((1, 1), np.float32)}, timeout=seconds)
    with pytest.raises(skerry.InvalidArgument, match="max_delay"):
        BatchingManager(graph.build(), max_delay=seconds)
    scheduler = BatchScheduler()
    with pytest.raises(skerry.InvalidArgument, match="deadline"):
        scheduler.push(1, now=0.0, deadline=seconds)
    for ask in (scheduler.next, scheduler.take_late):
        with pytest.raises(skerry.InvalidArgument, match="now"):
            ask(now=seconds)


def test_a_time_that_no_clock_can_count_is_for_ever() -> None:
    graph = skerry.GraphBuilder()
    graph.output(graph.add("Relu", [graph.input("x", ["N", 1])], name="y"))
    batching = BatchingManager(graph.build())
    for seconds in (1e9, 1e300, float("inf")):
        assert batching.run({"x": np.ones((1, 1), np.float32)}, timeout=seconds)[0, 0] == 1.0
        assert graph.build().session(max_execution_time=1e12).run({"x": np.ones((1, 1), np.float32)})["y"][0, 0] == 1.0
    scheduler = BatchScheduler(max_delay=1e300)
    scheduler.push(1, now=0.0, deadline=float("inf"))
    assert scheduler.next(now=1e8) == []


def test_a_model_runs_in_the_memory_of_a_simulated_device() -> None:
    graph = skerry.GraphBuilder()
    graph.output(graph.add("Relu", [graph.input("x", ["N", 2])], name="y"))
    gpu, x = MockGPUBackend(memory_bytes=1 << 20), np.asarray([[1, -1]], np.float32)
    for memory in (MemoryManager(kind="system"), MemoryManager(kind="pool"), MemoryManager(kind="device", device=gpu)):
        engine = OptimizedInferenceEngine(memory)
        np.testing.assert_array_equal(engine.run_inference(engine.load_model(graph.build()), x), [[1, 0]])
    assert gpu.counters()["peak_bytes"] > 0


def test_the_same_path_is_loaded_once(tmp_path: Path) -> None:
    skerry.save(perceptron(), tmp_path / "m.skerry")
    engine = OptimizedInferenceEngine()
    first = engine.load_model(tmp_path / "m.skerry")
    begin = time.perf_counter()
    second = engine.load_model(tmp_path / "m.skerry")
    assert time.perf_counter() - begin < 1e-3
    assert second is first
    assert np.shares_memory(first.weights["w1"], second.weights["w1"])
    assert list(engine.model_cache) == [str(tmp_path / "m.skerry")]


def test_a_result_is_the_buffer_itself_and_stays_as_it_is() -> None:
    engine = OptimizedInferenceEngine()
    model = engine.load_model(perceptron(rows=4))
    assert engine.tensor_pool.waiting == 10  # input and output have one shape
    x = rows_of(4)
    expected = perceptron().session().run({"x": x})["y"]
    first = engine.run_inference(model, x)
    kept = first.copy()
    second = engine.run_inference(model, -x)
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-6)
    place = first.ctypes.data
    view = first[1:]
    del first
    gc.collect()
    assert engine.run_inference(model, x).ctypes.data != place  # a part of it is held
    del view
    gc.collect()
    assert engine.run_inference(model, x).ctypes.data == place
    out = engine.tensor_pool.get_buffer((4, 32))
    result = engine.run_inference(model, {"x": x}, out=out)
    assert np.shares_memory(result, out)
    np.testing.assert_array_equal(out, kept)
    with pytest.raises(skerry.TypeMismatch):
        engine.run_inference(model, x, out=np.zeros((3, 32), np.float32))


def test_runs_that_fail_lose_no_buffer() -> None:
    engine = OptimizedInferenceEngine()
    model = engine.load_model(perceptron(rows=4))
    engine.run_inference(model, rows_of(4))
    crooked = np.zeros(4 * 32 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(4, 32)
    waiting = engine.tensor_pool.waiting
    for _ in range(1000):
        with pytest.raises(skerry.Error):
            engine.run_inference(model, crooked)
    assert (engine.tensor_pool.waiting, engine.tensor_pool.lent) == (waiting, 0)


def test_arrays_travel_by_dlpack_both_ways() -> None:
    session = perceptron().session()
    y = session.run({"x": rows_of(64)})["y"]
    assert np.shares_memory(np.from_dlpack(y), y)

    class Foreign:
        """An array of another library: it has nothing but DLPack."""

        def __init__(self, array: NDArray[np.float32]) -> None:
            self.array = array

        def __dlpack__(self, *, stream: None = None) -> Any:
            return self.array.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.array.__dlpack_device__()

    np.testing.assert_array_equal(session.run({"x": cast("NDArray[Any]", Foreign(rows_of(64)))})["y"], y)


def test_a_lazy_model_knows_its_shapes_and_an_engine_its_own_models(tmp_path: Path) -> None:
    lazy = LazyLoadedModel(perceptron())
    assert (lazy.input_shape, lazy.output_shape) == (("N", 32), ("N", 32))
    assert sorted(lazy.weights) == ["w1", "w2"]
    with pytest.raises(KeyError):
        lazy.weights["w3"]
    with pytest.raises(skerry.InvalidArgument, match="load_model"):
        OptimizedInferenceEngine().run_inference(lazy, rows_of(1))
    (tmp_path / "c.qasm").write_text("OPENQASM 3.0; qubit q;")
    with pytest.raises(skerry.Unsupported):
        OptimizedInferenceEngine().load_model(tmp_path / "c.qasm")


def test_threads_are_answered_with_their_own_rows() -> None:
    batching = BatchingManager(perceptron(), sizes=[1, 2, 4, 8], max_delay=0.002)
    session = perceptron().session()
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for i in range(10):
            x = rows_of(1) * (seed + i + 1)
            if not np.allclose(batching.run(x), expected[seed + i], rtol=1e-4, atol=1e-5):
                wrong.append(seed)

    expected = [session.run({"x": rows_of(1) * (i + 1)})["y"] for i in range(30)]
    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics = batching.statistics()
    assert not wrong
    assert statistics.answered == 160
    assert statistics.runs < 160
    assert 0 < statistics.latency(0.5) <= statistics.latency(0.99)


def test_what_a_scheduler_refuses_it_refuses_at_once() -> None:
    scheduler = BatchScheduler(sizes=[1], max_queue=2)
    scheduler.push(1, now=0.0)
    scheduler.push(2, now=0.0, deadline=0.5)
    with pytest.raises(skerry.Unavailable):
        scheduler.push(3, now=0.0)
    assert scheduler.take_late(now=0.6) == [2]
    assert scheduler.next(now=0.6) == [1]
    scheduler.ran(1, 1.0)
    with pytest.raises(skerry.InvalidArgument):
        BatchOptimizer(sizes=[])
    batching = BatchingManager(perceptron())
    with pytest.raises(skerry.DeadlineExceeded):
        batching.run(rows_of(1), timeout=0.0)
    with pytest.raises(skerry.Error):
        batching.run(rows_of(1, 31))


def test_sessions_of_a_profiler_open_as_one_trace(tmp_path: Path) -> None:
    model = perceptron(256).session(threads=1)
    x = rows_of(64, 256)
    model.run({"x": x})
    profiler = Profiler()
    with profiler.session("all") as everything:
        for _ in range(3):
            with profiler.session("one"):
                model.run({"x": x})
    assert profiler.ended() == ["all", "one", "one", "one"]
    profiler.write(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())
    assert sorted(e["name"] for e in events if e["cat"] == "session") == ["all", "one", "one", "one"]
    runs = [e for e in events if e["name"] == "run_graph"]
    steps = [e for e in events if e["cat"] == "step"]
    assert len(runs) == 3
    assert sum(s["dur"] for s in steps) == pytest.approx(sum(r["dur"] for r in runs), rel=0.2)
    # Own times of all that was done on this thread add up to the session.
    assert sum(t.self_seconds for t in everything.totals()) == pytest.approx(everything.seconds, rel=0.05)


def test_a_session_that_records_costs_a_run_next_to_nothing() -> None:
    model = perceptron(512).session(threads=1)
    x = rows_of(256, 512)

    def best(recorded: bool) -> float:
        took = []
        for _ in range(9):
            if recorded:
                with Profiler().session("x"):
                    begin = time.perf_counter()
                    model.run({"x": x})
                    took.append(time.perf_counter() - begin)
            else:
                begin = time.perf_counter()
                model.run({"x": x})
                took.append(time.perf_counter() - begin)
        return min(took)

    best(False)
    assert min(best(True) / best(False) for _ in range(5)) < 1.02


def test_metrics_are_a_page_that_prometheus_reads() -> None:
    metrics = MetricsCollector()
    metrics.counter("runs_total", "Runs", {"model": 'a"b'}).add(3)
    metrics.gauge("level", "Level").set(2.5)
    seconds = metrics.histogram("seconds", "Time", [0.1, 1.0])
    for value in (0.05, 0.5, 5.0):
        seconds.record(value)
    lines = metrics.text().splitlines()
    sample = re.compile(r'^[a-z_]+(\{[a-z]+="(?:[^"\\]|\\.)*"\})? [0-9.e+-]+$|^# (HELP|TYPE) [a-z_]+ .+$')
    assert all(sample.match(line) for line in lines)
    assert 'seconds_bucket{le="+Inf"} 3' in lines
    assert (seconds.counts, seconds.sum) == ([1, 1, 1], 5.55)
    with pytest.raises(skerry.InvalidArgument):
        metrics.gauge("runs_total", "")


def test_the_processor_counts_or_says_why_not() -> None:
    with PerformanceCounter() as counter:
        sum(range(200_000))
    assert set(counter.values) == set(HARDWARE_EVENTS)
    for name, value in counter.values.items():
        assert (value is None) == (name in counter.refusals)
    with pytest.raises(skerry.InvalidArgument, match="instructions"):
        PerformanceCounter(["steps"])


def test_a_thousand_runs_of_other_shapes_leave_the_process_as_it_was() -> None:
    took = in_fresh_process(
        """
        session = skerry.load(sys.argv[1]).session(threads=1)
        def run(count):
            for i in range(count):
                session.run({"input_ids": np.ones((1, 1 + i * 7 % 150), np.int64)})
            gc.collect()
            return rss()
        before = run(400)
        print(json.dumps({"rise": run(1000) - before}))
        """,
        Path(__file__).parents[1] / "data/models/transformer_tiny.onnx",
    )
    assert took["rise"] < 0.3e6
