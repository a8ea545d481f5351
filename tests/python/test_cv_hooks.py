"""Around the generators: threads for discriminators, the load of others, profiles by gate, engines of users."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import cv
from skerry.cv.load import balanced_threads, busy_ticks

STRATEGIES = ("sequential", "cpu_batch", "threading", "auto")


# Discriminators


@pytest.mark.parametrize("size", [1, 15, 512, 513, 3000])
def test_a_discriminators_scores_are_the_same_bits_by_every_strategy(size: int) -> None:
    settings: dict[str, Any] = {"n_modes": 3, "hidden": (16, 8), "seed": 2}
    discriminator = cv.create_threaded_quantum_discriminator(cv.QuantumDiscriminator, max_threads=3, **settings)
    x = np.random.default_rng(size).normal(size=(size, 3))
    expected = discriminator.discriminate(x)
    assert np.array_equal(cv.QuantumDiscriminator(**settings).discriminate(x), expected)
    for strategy in STRATEGIES:
        assert np.array_equal(discriminator.discriminate_threaded(x, strategy), expected)
    report = discriminator.get_performance_report()
    assert report["total_executions"] == len(STRATEGIES)
    # By hand: leaky ReLU of slope 0.2 between dense layers, and a logistic function.
    h = x
    for i, (weight, bias) in enumerate(zip(discriminator.weights, discriminator.biases, strict=True)):
        h = h @ weight.T + bias
        h = np.maximum(h, 0.2 * h) if i < 2 else h
    assert expected == pytest.approx(1 / (1 + np.exp(-h)), abs=1e-12)


def test_a_discriminators_gradients_are_the_same_bits_on_threads() -> None:
    discriminator = cv.QuantumDiscriminator(n_modes=2, hidden=(9, 7), seed=3)
    rng = np.random.default_rng(4)
    x, cotangent = rng.normal(size=(1700, 2)), rng.normal(size=(1700, 1))
    one, by_x = discriminator.vjp(x, cotangent)
    many, by_x_too = discriminator.vjp(x, cotangent, threads=3)
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
    assert np.array_equal(by_x, by_x_too)
    # Gradients are linear in the samples: those of two halves add up to those of all.
    first, second = discriminator.vjp(x[:700], cotangent[:700])[0], discriminator.vjp(x[700:], cotangent[700:])[0]
    assert all(np.allclose(a, b + c, atol=1e-10) for a, b, c in zip(one, first, second, strict=True))


class PlainDiscriminator:
    """A discriminator of somebody else."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def discriminate(self, x: np.ndarray) -> np.ndarray:
        self.threads.add(threading.get_ident())
        time.sleep(0.01)
        return np.asarray(x.sum(axis=1, keepdims=True))


def test_any_discriminator_gets_threads_and_may_do_without() -> None:
    x = np.arange(80.0).reshape(40, 2)
    for enabled in (True, False):
        made = cv.create_threaded_quantum_discriminator(PlainDiscriminator, enable_threading=enabled, max_threads=2)
        assert np.array_equal(made.discriminate_threaded(x, "threading"), x.sum(axis=1, keepdims=True))
        assert (made.threads == {threading.get_ident()}) == (not enabled)
        assert len(made.threads) <= 2


def test_a_discriminator_is_benchmarked_like_a_generator(capsys: pytest.CaptureFixture[str]) -> None:
    discriminator = cv.create_threaded_quantum_discriminator(cv.QuantumDiscriminator, n_modes=2)
    results = discriminator.benchmark_threading_performance([4, 600])
    assert all(results[600][strategy]["samples_per_second"] > 0 for strategy in STRATEGIES)
    assert "Batch Size: 600" in capsys.readouterr().out


# The load of others

STAT = """cpu  100 20 30 400 5 1 2 3 0 0
cpu0 40 15 10 200 4 1 1 2 0 0
cpu1 60 5 20 200 1 0 1 1 0 0
intr 5 1
"""


def test_busy_time_is_read_for_the_cpus_of_the_process_alone() -> None:
    assert busy_ticks(STAT, {0}, with_nice=False) == 40 + 10 + 1 + 1 + 2
    assert busy_ticks(STAT, {0}, with_nice=True) == 40 + 15 + 10 + 1 + 1 + 2
    assert busy_ticks(STAT, {0, 1}, with_nice=False) == 54 + 82
    assert busy_ticks(STAT, {7}, with_nice=False) == 0


def test_threads_are_those_of_the_cpus_that_others_leave() -> None:
    for cpus in (1, 2, 8):
        for others in np.linspace(0, 10, 41):
            for most in (1, 3, 8):
                threads = balanced_threads(most, cpus, others)
                assert 1 <= threads <= most
                free = cpus - others
                assert threads == most if free >= most else abs(threads - max(1.0, free)) <= 0.5


@contextmanager
def spinning(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that each keep a CPU busy."""
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            child.wait()


def cpu_seconds_of(child: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_work_of_others_is_seen_and_that_of_the_process_is_not() -> None:
    with spinning(1) as (child,):
        balancer = cv.LoadBalancer()
        begin, theirs, ours = time.monotonic(), cpu_seconds_of(child), time.process_time()
        while time.monotonic() - begin < 0.6:  # this process works too
            pass
        others = balancer.others()
        wall = time.monotonic() - begin
        share, own = (cpu_seconds_of(child) - theirs) / wall, (time.process_time() - ours) / wall
    assert share - 0.1 <= others <= len(os.sched_getaffinity(0)) - own + 0.1  # ticks are of 0.01 s


def test_auto_takes_one_thread_where_others_leave_no_cpu_and_named_threads_stay() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads=2)
    z = np.random.default_rng(5).normal(scale=0.4, size=(2048, 4))
    expected = generator.generate(z)
    generator.threading_manager.executor.threading_threshold(generator)  # measured before there is a load
    balancer = generator.threading_manager.executor.balancer
    with spinning(4 * len(os.sched_getaffinity(0))):
        end = time.monotonic() + 20
        while balancer.threads(2) > 1 and time.monotonic() < end:
            time.sleep(0.1)
        assert np.array_equal(generator.generate_threaded(z, "auto"), expected)
        assert np.array_equal(generator.generate_threaded(z, "threading"), expected)
    assert generator.get_performance_report()["strategy_usage"] == {"cpu_batch": 1, "threading": 1}


def test_calls_at_once_share_the_cpus() -> None:
    cpus = len(os.sched_getaffinity(0))
    inside, leave = threading.Semaphore(0), threading.Event()

    class Waiting(cv.QuantumGeneratorThreadingMixin):
        def generate(self, z: np.ndarray) -> np.ndarray:
            inside.release()
            leave.wait()
            return z

    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads=8)
    z = np.random.default_rng(5).normal(scale=0.4, size=(2048, 4))
    expected = generator.generate(z)
    callers = [threading.Thread(target=Waiting().generate_threaded, args=(z[:1], "sequential")) for _ in range(cpus)]
    for caller in callers:
        caller.start()
    for _ in callers:
        inside.acquire()
    try:
        # Every CPU has a call that is at work, so one more gets one thread, whatever others do.
        assert np.array_equal(generator.generate_threaded(z, "auto"), expected)
        assert generator.get_performance_report()["strategy_usage"] == {"cpu_batch": 1}
    finally:
        leave.set()
    for caller in callers:
        caller.join()
    assert [balanced_threads(8, 8, 0.0, calls) for calls in (1, 2, 3, 8, 20)] == [8, 4, 3, 1, 1]


# Profiles


@pytest.mark.parametrize("strategy", ["sequential", "cpu_batch", "threading"])
def test_a_profile_has_every_gate_of_every_mode(strategy: str) -> None:
    generator = cv.QuantumSFGenerator(n_modes=3, latent_dim=2, layers=2, cutoff_dim=5, precision="double")
    z = np.random.default_rng(6).normal(scale=0.3, size=(40, 2))
    expected = generator.run(z, strategy=strategy, threads=2)
    begin = time.perf_counter()
    kept = []
    found = cv.profile(lambda: kept.append(generator.run(z, strategy=strategy, threads=2)))
    wall = time.perf_counter() - begin
    assert np.array_equal(kept[0], expected)
    blocks = {row.gate: row.calls for row in found.rows}["outputs"]
    calls = Counter({(row.gate, row.modes): row.calls for row in found.rows})
    for mode in range(3):  # one squeezer and one displacer in each layer
        assert calls["squeezing", (mode,)] == calls["displacement", (mode,)] == 2 * blocks
    # An interferometer of 3 modes is 3 beam splitters between neighbours; a layer has two.
    splitters = {modes: count for (gate, modes), count in calls.items() if gate == "beam_splitter"}
    assert set(splitters) <= {(0, 1), (1, 2)}
    assert sum(splitters.values()) == 12 * blocks
    assert blocks == 40 if strategy == "sequential" else blocks < 40
    assert 0 < found.seconds <= 2 * wall
    assert [row.seconds for row in found.rows] == sorted((row.seconds for row in found.rows), reverse=True)
    assert str(found).splitlines()[1].split()[0] == found.rows[0].gate


def test_a_profile_of_a_gradient_has_the_way_back_and_ends_with_its_call() -> None:
    generator = cv.QuantumSFGenerator(n_modes=1, latent_dim=2, layers=1)
    found = cv.profile(lambda: generator.vjp(np.zeros((2, 2)), np.ones((2, 1))))
    there = {(row.gate, row.modes) for row in found.rows if not row.backward and row.modes}
    back = {(row.gate, row.modes) for row in found.rows if row.backward}
    assert there == back == {("squeezing", (0,)), ("displacement", (0,))}
    with pytest.raises(ZeroDivisionError):
        cv.profile(lambda: 1 // 0)
    assert cv.profile(lambda: None).rows == []


# Engines of users


class SimulatorEngine:
    """An engine of a user: coherent amplitudes by NumPy, layers by a simulator that is asked for one sample a time."""

    made = 0

    def __init__(self, settings: cv.EngineSettings) -> None:
        SimulatorEngine.made += 1
        self.settings = settings
        each = skerry.PhotonicCircuit.layer_weights(settings.modes)
        circuit = skerry.PhotonicCircuit(settings.modes, weights=settings.layers * each)
        for layer in range(settings.layers):
            circuit.layer(layer * each)
        self.simulator = skerry.FockSimulator(circuit, [settings.cutoff] * settings.modes, "double")
        self.layer_parameters = settings.layers * each
        self.parameters = np.zeros(self.layer_parameters)

    def set_parameters(self, values: np.ndarray) -> None:
        self.parameters = values.copy()
        self.simulator.set_weights(values)

    def encode(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = np.zeros((len(z), 2 * self.settings.modes))
        for j in range(z.shape[1]):
            q[:, j % q.shape[1]] += z[:, j]
        return self.settings.scale * q[:, 0::2], self.settings.scale * q[:, 1::2]

    def generate(self, z: np.ndarray, strategy: str, threads: int) -> tuple[np.ndarray, float]:
        re, im = (part.copy() for part in self.encode(z))
        outs = [self.simulator.forward(re[i : i + 1], im[i : i + 1], ["x", "norm"]) for i in range(len(z))]
        return np.concatenate([out["x"] for out in outs]), max(1 - float(out["norm"][0]) for out in outs)

    def gradient(
        self, z: np.ndarray, cotangent: np.ndarray, strategy: str, threads: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        re, im = (part.copy() for part in self.encode(z))
        out, (by_weights, by_re, by_im) = self.simulator.gradient({"x": cotangent}, re, im, ["x"])
        by_q = np.stack([by_re, by_im], axis=2).reshape(len(z), -1)
        by_z = self.settings.scale * by_q[:, np.arange(z.shape[1]) % by_q.shape[1]]
        return out["x"], by_weights, by_z


@pytest.fixture
def simulator_engine() -> Iterator[type[SimulatorEngine]]:
    cv.register_engine("simulator", SimulatorEngine)
    SimulatorEngine.made = 0
    yield SimulatorEngine
    cv.unregister_engine("simulator")


def test_an_engine_of_a_user_computes_what_the_native_one_does(simulator_engine: type[SimulatorEngine]) -> None:
    settings = {"n_modes": 2, "latent_dim": 5, "cutoff_dim": 7, "precision": "double", "max_threads": 2}
    native = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, **settings)
    theirs = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, engine="simulator", **settings)
    assert np.array_equal(native.parameters, theirs.parameters)
    z = np.random.default_rng(7).normal(scale=0.4, size=(9, 5))
    for strategy in STRATEGIES:
        assert np.allclose(theirs.generate_threaded(z, strategy), native.generate(z), atol=1e-12)
    assert np.allclose(theirs.encode(z), native.encode(z))
    cotangent = np.random.default_rng(8).normal(size=(9, 2))
    for ours, other in zip(native.vjp(z, cotangent), theirs.vjp(z, cotangent), strict=True):
        assert np.allclose(ours, other, atol=1e-10)
    assert theirs.last_leak == pytest.approx(native.last_leak, abs=1e-12)
    assert simulator_engine.made == theirs.engines.made == 1
    caller = threading.Thread(target=theirs.generate, args=(z,))
    caller.start()
    caller.join()
    assert simulator_engine.made == 2  # that thread's own


def test_engines_are_refused_by_name() -> None:
    with pytest.raises(skerry.InvalidArgument, match="no engine is called 'abacus'; take one of native"):
        cv.QuantumSFGenerator(engine="abacus")
    with pytest.raises(skerry.InvalidArgument, match="built in"):
        cv.register_engine("native", SimulatorEngine)


def test_a_device_that_fails_for_batches_is_asked_for_single_samples() -> None:
    class Fragile(SimulatorEngine):
        def generate(self, z: np.ndarray, strategy: str, threads: int) -> tuple[np.ndarray, float]:
            if strategy != "sequential":
                raise OSError("the device takes one sample at a time")
            return super().generate(z, strategy, threads)

    cv.register_engine("fragile", Fragile)
    try:
        generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, engine="fragile", precision="double")
    finally:
        cv.unregister_engine("fragile")
    z = np.random.default_rng(9).normal(scale=0.4, size=(6, 4))
    native = cv.QuantumSFGenerator(precision="double")
    assert np.allclose(generator.generate_threaded(z, "cpu_batch"), native.generate(z), atol=1e-12)
    report: dict[str, Any] = generator.get_performance_report()
    assert report["recoveries"] == 1
    assert report["strategy_usage"] == {"sequential": 1}
