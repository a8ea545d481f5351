"""Quantum generators: encodings, strategies with equal bits, gradients, recovery, accounts, frameworks."""

import logging
import os
import threading
import time
from typing import Any

import cv_vectors as vectors
import numpy as np
import pytest
import skerry
from skerry import cv

STRATEGIES = ("sequential", "cpu_batch", "threading", "auto")
ENCODINGS = ("coherent_state", "direct_displacement", "classical_neural")


def flat_network(net: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(net[name]) for name in ("W1", "b1", "W2", "b2")])


def test_encodings_equal_the_reference_vectors() -> None:
    data = vectors.load("09_encodings")
    for case in data["cases"]:
        net = case["net"]
        generator = cv.QuantumSFGenerator(
            n_modes=case["modes"],
            latent_dim=len(case["z"]),
            layers=1,
            cutoff_dim=2,
            encoding_strategy=case["kind"],
            scale=case["scale"],
            hidden=len(net["b1"]) if net else 6,
            amplitude=net["amax"] if net else 1.0,
        )
        if net:
            generator.parameters[generator.layer_parameters :] = flat_network(net)
        alphas = generator.encode(np.array([case["z"]]))[0]
        assert np.abs(alphas - vectors.array(case["alpha"])).max() <= data["tol_abs"]["complex128"]


@pytest.mark.parametrize(("dtype", "precision"), vectors.FILES)
def test_a_trained_encoding_has_the_reference_gradients(dtype: str, precision: str) -> None:
    data = vectors.load("08_cvqnn_neural")
    net = data["encoding"]["net"]
    generator = cv.QuantumSFGenerator(
        data["modes"],
        len(data["latent"][0]),
        data["layers"],
        data["cutoff"],
        "classical_neural",
        hidden=len(net["b1"]),
        amplitude=net["amax"],
        precision=precision,
        leak_warning=1.0,
    )
    generator.parameters = np.concatenate([np.ravel(data["weights"]), flat_network(net)])
    z, tolerance = np.array(data["latent"]), data["tol_abs"][dtype]
    samples = generator.run(z)
    assert np.abs(samples - [out["x"] for out in data["outputs"]]).max() <= tolerance

    # The vectors' loss has <p> and <n> too: by the simulator, and back through the network by hand.
    simulator = skerry.FockSimulator(vectors.network(data["modes"], data["layers"]), [data["cutoff"]] * 2, precision)
    simulator.set_weights(np.ravel(data["weights"]))
    alphas = generator.encode(z)
    cotangents = {key[1]: np.tile(data[key], (len(z), 1)) for key in ("cx", "cp", "cn")}
    names = ["kets", "norm", "x", "p", "n", "n2"]
    out, (by_weights, by_re, by_im) = simulator.gradient(cotangents, alphas.real.copy(), alphas.imag.copy(), names)
    for name in names[1:]:
        assert np.abs(out[name] - [sample[name] for sample in data["outputs"]]).max() <= tolerance
    for ket, state in zip(out["kets"], data["states"], strict=False):
        assert np.abs(ket - vectors.array(state).ravel()).max() <= tolerance
    losses = sum((cotangents[key] * out[key]).sum(axis=1) for key in ("x", "p", "n"))
    assert np.abs(losses - data["L_per_sample"]).max() <= tolerance
    assert np.abs(by_weights - np.ravel(data["grad_weights"])).max() <= tolerance
    by_network, by_latent = back_through(net, z, by_re, by_im)
    assert np.abs(by_latent - data["grad_latent"]).max() <= tolerance
    assert np.abs(by_network - flat_network(data["grad_net"])).max() <= tolerance

    # The generator walks the same way back for a loss of <x>.
    cx = {"x": cotangents["x"]}
    _, (_, by_re, by_im) = simulator.gradient(cx, alphas.real.copy(), alphas.imag.copy())
    by_network, by_latent = back_through(net, z, by_re, by_im)
    by_parameters, by_z = generator.vjp(z, cx["x"])
    assert np.abs(by_z - by_latent).max() <= tolerance
    assert np.abs(by_parameters[generator.layer_parameters :] - by_network).max() <= tolerance


def back_through(net: dict[str, Any], z: np.ndarray, by_re: np.ndarray, by_im: np.ndarray) -> tuple[np.ndarray, ...]:
    """Gradients of the network's parameters and input from those of the alphas it gives."""
    w1, b1, w2, b2 = (np.array(net[name]) for name in ("W1", "b1", "W2", "b2"))
    hidden = np.tanh(z @ w1.T + b1)
    last = np.tanh(hidden @ w2.T + b2)
    by_last = np.stack([by_re, by_im], axis=2).reshape(len(z), -1) * net["amax"] * (1 - last**2)
    by_hidden = by_last @ w2 * (1 - hidden**2)
    parts = (by_hidden.T @ z, by_hidden.sum(axis=0), by_last.T @ hidden, by_last.sum(axis=0))
    return np.concatenate([part.ravel() for part in parts]), by_hidden @ w1


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("strategy", ["sequential", "cpu_batch", "threading"])
def test_gradients_through_every_strategy_equal_finite_differences(encoding: str, strategy: str) -> None:
    generator = cv.QuantumSFGenerator(2, 3, 2, 6, encoding, precision="double", seed=2, leak_warning=1.0)
    rng = np.random.default_rng(3)
    z, cotangent = rng.normal(scale=0.5, size=(9, 3)), rng.normal(size=(9, 2))
    by_parameters, by_z = generator.vjp(z, cotangent, strategy=strategy, threads=2)
    step = 1e-5

    def loss(parameters: np.ndarray, latents: np.ndarray) -> float:
        return float((generator.run(latents, parameters) * cotangent).sum())

    for i in range(len(by_parameters)):
        shift = step * np.eye(len(by_parameters))[i]
        slope = loss(generator.parameters + shift, z) - loss(generator.parameters - shift, z)
        assert by_parameters[i] == pytest.approx(slope / (2 * step), abs=1e-7)
    shift = np.zeros_like(z)
    shift[4, 1] = step
    slope = loss(generator.parameters, z + shift) - loss(generator.parameters, z - shift)
    assert by_z[4, 1] == pytest.approx(slope / (2 * step), abs=1e-7)
    assert abs(by_z[4, 1]) > 1e-3


@pytest.mark.parametrize("precision", ["single", "double"])
def test_all_strategies_give_the_same_bits(precision: str) -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, precision=precision, max_threads=3)
    z = np.random.default_rng(4).normal(scale=0.5, size=(70, 4))
    expected = generator.generate(z)
    assert expected.shape == (70, 2)
    for strategy in STRATEGIES:
        assert np.array_equal(generator.generate_threaded(z, strategy=strategy), expected)
    one, _ = generator.vjp(z, np.ones((70, 2)), strategy="sequential")
    for strategy in ("cpu_batch", "threading"):
        assert np.array_equal(generator.vjp(z, np.ones((70, 2)), strategy=strategy)[0], one)


def test_rules_of_thumb_are_the_published_ones() -> None:
    sizes = {1: "sequential", 3: "sequential", 4: "threading", 15: "threading", 16: "cpu_batch", 32: "cpu_batch"}
    assert {size: cv.choose_strategy(size) for size in sizes} == sizes
    assert cv.choose_strategy(32, has_gpu=True) == "gpu_batch"
    assert cv.choose_strategy(31, has_gpu=True) == "cpu_batch"
    assert cv.optimal_threads() == min(len(os.sched_getaffinity(0)), 8)


def test_an_unknown_strategy_is_refused_with_the_list() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator)
    with pytest.raises(skerry.InvalidArgument, match="sequential, cpu_batch, threading, gpu_batch, auto"):
        generator.generate_threaded(np.zeros((2, 4)), strategy="warp")
    with pytest.raises(skerry.InvalidArgument, match="built in"):
        cv.register_strategy("auto", lambda g, z: z)


def test_gpu_batch_says_that_it_is_not_available_and_what_ran() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator)
    z = np.random.default_rng(13).normal(scale=0.5, size=(70, 4))
    with pytest.warns(RuntimeWarning, match="gpu_batch is not available here; cpu_batch runs instead, 32 samples"):
        samples = generator.generate_threaded(z, strategy="gpu_batch")
    assert np.array_equal(samples, generator.generate(z))
    assert not generator.threading_manager.has_gpu
    assert generator.get_performance_report()["strategy_usage"] == {"cpu_batch": 1}


@pytest.mark.parametrize("size", [1, 19, 64, 70])
def test_gpu_batch_takes_no_more_samples_at_once_than_it_was_told(size: int) -> None:
    given: list[int] = []

    class Counting(PlainGenerator):
        def generate(self, z: np.ndarray) -> np.ndarray:
            given.append(len(z))
            return super().generate(z)

    z = np.random.default_rng(14).normal(scale=0.5, size=(70, 4))
    with pytest.warns(RuntimeWarning, match=f"{size} samples at once"):
        cv.create_threaded_quantum_generator(Counting, gpu_batch_size=size).generate_threaded(z, "gpu_batch")
    assert given == [size] * (70 // size) + [70 % size] * (70 % size > 0)
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, gpu_batch_size=size)
    with pytest.warns(RuntimeWarning, match=f"{size} samples at once"):
        samples = generator.generate_threaded(z, strategy="gpu_batch")
    assert np.array_equal(samples, generator.generate(z))
    assert generator.last_leak == max(leak_of(generator, z[i : i + 1]) for i in range(70)) > 0


def leak_of(generator: Any, z: np.ndarray) -> float:
    generator.generate(z)
    return float(generator.last_leak)


def test_a_failing_strategy_is_replaced_by_sequential_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    def broken(generator: Any, z: Any) -> Any:
        raise RuntimeError("no such accelerator")

    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator)
    z = np.random.default_rng(5).normal(size=(6, 4)) * 0.4
    cv.register_strategy("broken", broken)
    try:
        with caplog.at_level(logging.WARNING, logger="skerry.cv"):
            samples = generator.generate_threaded(z, strategy="broken")
    finally:
        cv.unregister_strategy("broken")
    assert np.array_equal(samples, generator.generate(z))
    assert "no such accelerator" in caplog.text
    report = generator.get_performance_report()
    assert report["recoveries"] == 1
    assert report["strategy_usage"] == {"sequential": 1}


def test_the_report_counts_what_ran() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads=1)
    for strategy in ("sequential", "cpu_batch", "cpu_batch"):
        generator.generate_threaded(np.zeros((50, 4)), strategy=strategy)
    report = cv.get_performance_report(generator)
    assert report["total_executions"] == 3
    assert report["strategy_usage"] == {"sequential": 1, "cpu_batch": 2}
    assert report["avg_samples_per_second"] > 0
    assert 0 <= report["cpu_utilization_estimate"] <= 100
    start = time.perf_counter()
    generator.get_performance_report()
    assert time.perf_counter() - start < 0.05


class Timed(cv.QuantumGeneratorThreadingMixin):
    """A generator that takes the time it is asked for, asleep or at work."""

    latent_dim = 1

    def __init__(self, works: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.works = works

    def generate(self, z: np.ndarray) -> np.ndarray:
        if not self.works:
            time.sleep(0.1)
        end = time.thread_time() + (0.1 if self.works else 0)
        while time.thread_time() < end:
            pass
        return z


def test_utilisation_is_cpu_time_over_wall_time_of_all_threads() -> None:
    z = np.zeros((1, 1))
    for threads in (1, 2):
        asleep, works = Timed(False, max_threads=threads), Timed(True, max_threads=threads)
        asleep.generate_threaded(z, "sequential")
        busy = time.process_time(), time.perf_counter()
        works.generate_threaded(z, "sequential")
        cpu, wall = time.process_time() - busy[0], time.perf_counter() - busy[1]
        report = works.get_performance_report()
        # At least the 0.1 s that it worked over the time seen from outside, at most all CPU time over those 0.1 s.
        assert 100 * 0.099 / (wall * threads) <= report["cpu_utilization"]["sequential"] <= 100 * cpu / (0.1 * threads)
        assert report["cpu_utilization_estimate"] == report["cpu_utilization"]["sequential"]
        assert asleep.get_performance_report()["cpu_utilization"]["sequential"] < 50
    works.generate_threaded(z, "cpu_batch")
    report = works.get_performance_report()
    both = sorted(report["cpu_utilization"].values())
    assert set(report["cpu_utilization"]) == set(report["strategy_usage"]) == {"sequential", "cpu_batch"}
    assert both[0] <= report["cpu_utilization_estimate"] <= both[1]


def threads_of_this_process() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def test_without_enable_threading_no_thread_is_made() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, enable_threading=False)
    before = threads_of_this_process()
    samples = generator.generate_threaded(np.zeros((600, 4)), strategy="threading")
    assert threads_of_this_process() == before
    assert generator.get_performance_report()["strategy_usage"] == {"sequential": 1}
    assert samples.shape == (600, 2)


def test_eight_callers_at_once_get_the_right_results() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads=2)
    batches = np.random.default_rng(6).normal(scale=0.5, size=(8, 40, 4))
    expected = [generator.generate(z) for z in batches]
    failures: list[int] = []

    def call(index: int) -> None:
        for _ in range(20):
            if not np.array_equal(generator.generate_threaded(batches[index], "threading"), expected[index]):
                failures.append(index)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures
    assert 2 <= generator.engines.made <= 9
    assert generator.get_performance_report()["total_executions"] == 160


def test_eight_threads_at_once_have_eight_engines_and_keep_them() -> None:
    generator = cv.QuantumSFGenerator(precision="double", leak_warning=1.0)
    batches = np.random.default_rng(12).normal(size=(8, 30, 4)) * np.linspace(0.1, 1.5, 8)[:, None, None]
    other = generator.parameters + 0.05  # every second caller has parameters of its own
    expected = [generator.generate(z, [None, other][i % 2]) for i, z in enumerate(batches)]
    leaks = []
    for i, z in enumerate(batches):
        generator.generate(z, [None, other][i % 2])
        leaks.append(generator.last_leak)
    assert len(set(leaks)) == 8
    meet = threading.Barrier(8)
    engines: list[Any] = [None] * 8
    right = [False] * 8

    def call(index: int) -> None:
        engines[index] = engine = generator.engines.mine()
        same = True
        for _ in range(10):
            meet.wait()
            samples = generator.run(batches[index], [None, other][index % 2], "threading", 2)
            same &= np.array_equal(samples, expected[index]) and generator.last_leak == leaks[index]
            same &= generator.engines.mine() is engine
        right[index] = same

    for made in (9, 9):  # the second eight take over what the first have left
        callers = [threading.Thread(target=call, args=(i,)) for i in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert all(right)
        assert len({id(engine) for engine in engines}) == 8
        assert generator.engines.mine() not in engines
        engines[:] = [None] * 8
        assert generator.engines.made == made
    generator.engines.clear()
    assert np.array_equal(generator.generate(batches[0]), expected[0])
    assert generator.engines.made == 10


class PlainGenerator:
    """A generator of somebody else: only generate()."""

    latent_dim = 3

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def generate(self, z: np.ndarray) -> np.ndarray:
        return self.gain * z[:, :2]


def test_the_factory_takes_any_class_and_leaves_it_alone() -> None:
    before = dict(vars(PlainGenerator))
    generator: Any = cv.create_threaded_quantum_generator(PlainGenerator, gain=2.0, max_threads=2)
    assert PlainGenerator in type(generator).__mro__
    assert type(generator).__name__ == "ThreadedPlainGenerator"
    assert dict(vars(PlainGenerator)) == before
    z = np.random.default_rng(7).normal(size=(21, 3))
    for strategy in STRATEGIES:
        assert np.array_equal(generator.generate_threaded(z, strategy=strategy), 2 * z[:, :2])


def test_the_mixin_works_as_a_base_class() -> None:
    class Threaded(cv.QuantumGeneratorThreadingMixin, cv.QuantumSFGenerator):
        pass

    generator = Threaded(n_modes=2, latent_dim=4, enable_threading=True, max_threads=4)
    assert generator.generate_threaded(np.zeros((5, 4))).shape == (5, 2)


def test_leaving_the_cutoff_warns() -> None:
    generator = cv.QuantumSFGenerator(n_modes=1, latent_dim=2, cutoff_dim=3, scale=1.0)
    with pytest.warns(cv.TruncationWarning, match="beyond cutoff_dim=3"):
        generator.generate(np.array([[2.0, 0.0]]))
    assert generator.last_leak > 0.1


def test_wrong_latents_and_settings_are_refused() -> None:
    generator = cv.QuantumSFGenerator()
    with pytest.raises(skerry.TypeMismatch, match=r"pass \[batch, 4\]"):
        generator.generate(np.zeros((3, 5)))
    with pytest.raises(skerry.InvalidArgument, match="coherent_state, direct_displacement, classical_neural"):
        cv.QuantumSFGenerator(encoding_strategy="telepathy")
    with pytest.raises(skerry.LimitExceeded):
        cv.QuantumSFGenerator(n_modes=70)
    with pytest.raises(skerry.InvalidArgument, match="0 threads"):
        cv.QuantumThreadingManager(max_threads=0)


def test_the_benchmark_measures_every_strategy_and_marks_the_missing_one(capsys: pytest.CaptureFixture[str]) -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, cutoff_dim=4)
    results = generator.benchmark_threading_performance([1, 4])
    assert list(results) == [1, 4]
    assert results[4]["gpu_batch"] == {"available": False, "fallback": "cpu_batch"}
    assert all(results[4][strategy]["seconds"] > 0 for strategy in STRATEGIES)
    assert all(0 < results[4][strategy]["cpu_utilization"] <= 100 for strategy in STRATEGIES)
    assert "Batch Size: 4" in capsys.readouterr().out


def test_the_self_test_and_the_adaptive_step_run(capsys: pytest.CaptureFixture[str]) -> None:
    before = skerry.num_threads()
    try:
        cv.test_quantum_threading()
    finally:
        skerry.set_num_threads(before)
    assert "gradient: equals finite differences" in capsys.readouterr().out
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator)
    discriminator = cv.QuantumDiscriminator(n_modes=2)
    for size, used in ((4, "sequential"), (8, "threading"), (32, "cpu_batch")):
        generator.threading_manager.reset()
        samples, real, fake = cv.adaptive_training_step(
            generator, discriminator, np.zeros((size, 4)), np.ones((size, 2))
        )
        assert samples.shape == (size, 2)
        assert real.shape == fake.shape == (size, 1)
        assert generator.get_performance_report()["strategy_usage"] == {used: 1}


def test_the_discriminators_gradients_equal_finite_differences() -> None:
    discriminator = cv.QuantumDiscriminator(n_modes=2, hidden=(5, 4), seed=8)
    rng = np.random.default_rng(9)
    x, cotangent = rng.normal(size=(6, 2)), rng.normal(size=(6, 1))
    gradients, by_x = discriminator.vjp(x, cotangent)
    step = 1e-6
    for variable, gradient in zip(discriminator.trainable_variables, gradients, strict=True):
        index = tuple(size // 2 for size in variable.shape)
        values = []
        for sign in (1, -1):
            variable[index] += sign * step
            values.append((discriminator.logits(x) * cotangent).sum())
            variable[index] -= sign * step
        assert gradient[index] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-7)
    shift = np.zeros_like(x)
    shift[2, 1] = step
    slope = ((discriminator.logits(x + shift) - discriminator.logits(x - shift)) * cotangent).sum() / (2 * step)
    assert by_x[2, 1] == pytest.approx(slope, abs=1e-7)
