"""Batches of a quantum generator on native threads: strategies, their choice, recovery, and what they cost."""

import functools
import logging
import resource
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

import skerry
from skerry.cv import arrays
from skerry.cv.arrays import Work
from skerry.cv.generator import QuantumSFGenerator
from skerry.cv.load import of_this_process
from skerry.cv.strategies import (
    GPU_FALLBACK,
    choose_strategy,
    optimal_threads,
    optimize_cpu_utilization,
    registered,
)

Array = NDArray[np.float64]
Timings = dict[int, dict[str, dict[str, Any]]]
_log = logging.getLogger("skerry.cv")
CPU_BATCH = 8  # samples at once for a generator that is not ours
BUSY_SECONDS = 5.0


class QuantumBatchExecutor:
    """Runs a batch by a named strategy; a strategy that fails is replaced by `sequential`, told and counted."""

    def __init__(self, max_threads: int | None = None, gpu_batch_size: int = 32) -> None:
        self.max_threads = optimal_threads() if max_threads is None else max_threads
        self.gpu_batch_size = gpu_batch_size
        if self.max_threads < 1 or gpu_batch_size < 1:
            raise skerry.InvalidArgument(f"{max_threads} threads and GPU batches of {gpu_batch_size}; take 1 or more")
        self.recoveries = 0
        self.balancer = of_this_process()
        self._thresholds: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def execute(self, generator: Any, z: Any, strategy: str, parameters: Any | None = None) -> tuple[Any, str]:
        """Samples, and the strategy that made them."""
        with self.balancer:
            return self._execute(generator, z, strategy, parameters)

    def _execute(self, generator: Any, z: Any, strategy: str, parameters: Any | None) -> tuple[Any, str]:
        own = registered(strategy)
        threads, at_once = self.max_threads, None
        if strategy == "auto":
            strategy = self.choose(generator, arrays.samples_in(z))
            threads = self.balancer.threads(threads) if strategy == "threading" else 1
            strategy = "cpu_batch" if strategy == "threading" and threads == 1 else strategy
        if strategy == "gpu_batch":
            strategy, at_once = GPU_FALLBACK, self.gpu_batch_size
            told = f"gpu_batch is not available here; {GPU_FALLBACK} runs instead, {at_once} samples at once"
            warnings.warn(told, RuntimeWarning, stacklevel=5)
        try:
            if own is not None:
                return own(generator, z), strategy
            return self._run(generator, z, Work(strategy, threads, at_once), parameters), strategy
        except (skerry.InvalidArgument, skerry.TypeMismatch, KeyboardInterrupt):
            raise  # the input's fault: sequential would fail likewise
        except Exception as error:
            if strategy == "sequential":
                raise
            with self._lock:
                self.recoveries += 1
            _log.warning("strategy %s failed (%s); sequential runs instead", strategy, error)
            return self._run(generator, z, Work("sequential"), parameters), "sequential"

    def choose(self, generator: Any, batch_size: int) -> str:
        """By what was measured on this machine: one batch, or threads from the size on where they were faster.

        Then `auto` takes as many threads as the load of the machine leaves CPUs for.
        """
        if not isinstance(generator, QuantumSFGenerator):
            return choose_strategy(batch_size)
        if batch_size < 2 or self.max_threads == 1:
            return "cpu_batch"
        return "threading" if batch_size >= self.threading_threshold(generator) else "cpu_batch"

    def threading_threshold(self, generator: QuantumSFGenerator) -> float:
        """The smallest power of two of samples from which threads were faster.

        Measured once for a generator; what was measured beside the work of others holds for BUSY_SECONDS.
        """
        now = time.monotonic()
        with self._lock:
            known, until = self._thresholds.get(generator.engines, (float("inf"), now))
        if now >= until:
            known = self._measure(generator)
            until = now + BUSY_SECONDS if self.balancer.others() > 0.25 else float("inf")
            with self._lock:
                self._thresholds[generator.engines] = known, until
        return known

    def _measure(self, generator: QuantumSFGenerator) -> float:
        """In turns, and by medians: threads that have just worked are quicker to wake than they are between calls."""
        end = time.perf_counter() + 0.1
        threshold = float("inf")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for size in (1024, 512, 256, 128, 64, 32):
                z = np.zeros((size, generator.latent_dim))
                one = functools.partial(generator.run, z, None, "cpu_batch", 1)
                many = functools.partial(generator.run, z, None, "threading", self.max_threads)
                turns = [(best_seconds(one, 1), best_seconds(many, 1)) for _ in range(9)]
                alone, together = np.median(turns, axis=0)
                if together > 0.95 * alone or time.perf_counter() > end:
                    break
                threshold = size
        return threshold

    def _run(self, generator: Any, z: Any, work: Work, parameters: Any | None) -> Any:
        if isinstance(generator, QuantumSFGenerator):
            return arrays.apply(generator, z, parameters, work)
        size = 1 if work.strategy == "sequential" else work.at_once or CPU_BATCH
        size = getattr(generator, "rows_at_once", size)  # of one whose bits depend on how a batch is cut
        parts = [z[i : i + size] for i in range(0, max(len(z), 1), size)]
        if work.strategy != "threading" or len(parts) == 1:
            return np.concatenate([np.asarray(generator.generate(part)) for part in parts])
        with ThreadPoolExecutor(work.threads) as pool:
            return np.concatenate([np.asarray(samples) for samples in pool.map(generator.generate, parts)])


class Usage(NamedTuple):
    """What calls took together. wall and cpu: seconds by the clocks of the machine and of this process."""

    calls: int = 0
    samples: int = 0
    wall: float = 0.0
    cpu: float = 0.0

    def utilization(self, threads: int) -> float:
        """CPU time over the wall time of that many CPUs, in percent; calls at once share their process's CPU time."""
        return min(100.0, 100.0 * self.cpu / (self.wall * threads)) if self.wall > 0 else 0.0


class QuantumThreadingManager:
    """Chooses, runs and keeps account; safe for any number of callers at once.

    >>> import numpy as np
    >>> from skerry.cv import QuantumSFGenerator, QuantumThreadingManager
    >>> manager = QuantumThreadingManager(max_threads=2)
    >>> generator = QuantumSFGenerator(n_modes=1, latent_dim=2)
    >>> manager.execute(generator, np.zeros((4, 2)), "threading").shape
    (4, 1)
    >>> report = manager.get_performance_report()
    >>> report["total_executions"], report["strategy_usage"]
    (1, {'threading': 1})
    """

    #: True only where kernels for Fock kets run on a GPU; this build has none.
    has_gpu = False

    def __init__(self, max_threads: int | None = None, gpu_batch_size: int = 32) -> None:
        self.executor = QuantumBatchExecutor(max_threads, gpu_batch_size)
        self._lock = threading.Lock()
        self.reset()

    @property
    def max_threads(self) -> int:
        return self.executor.max_threads

    def reset(self) -> None:
        """Forgets the account."""
        with self._lock:
            self._usage: dict[str, Usage] = {}

    def execute(self, generator: Any, z: Any, strategy: str = "auto", parameters: Any | None = None) -> Any:
        """Samples of the generator by a strategy."""
        cpu, wall = cpu_seconds(), time.perf_counter()
        samples, used = self.executor.execute(generator, z, strategy, parameters)
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        with self._lock:
            known = self._usage.get(used, Usage())
            self._usage[used] = Usage(
                known.calls + 1, known.samples + arrays.samples_in(z), known.wall + wall, known.cpu + cpu
            )
        return samples

    def get_performance_report(self) -> dict[str, Any]:
        """What ran so far. cpu_utilization has the percentage for each strategy, the estimate that of all together."""
        with self._lock:
            usage = dict(self._usage)
        wall = sum(used.wall for used in usage.values())
        everything = Usage(wall=wall, cpu=sum(used.cpu for used in usage.values()))
        return {
            "total_executions": sum(used.calls for used in usage.values()),
            "avg_samples_per_second": sum(used.samples for used in usage.values()) / wall if wall > 0 else 0.0,
            "cpu_utilization_estimate": everything.utilization(self.max_threads),
            "cpu_utilization": {name: used.utilization(self.max_threads) for name, used in usage.items()},
            "strategy_usage": {name: used.calls for name, used in usage.items()},
            "recoveries": self.executor.recoveries,
        }


class QuantumGeneratorThreadingMixin:
    """Adds threads to a generator class: `class Threaded(QuantumGeneratorThreadingMixin, Generator)`."""

    def __init__(
        self,
        *args: Any,
        enable_threading: bool = True,
        max_threads: int | None = None,
        gpu_batch_size: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.enable_threading = enable_threading
        self.threading_manager = QuantumThreadingManager(max_threads, gpu_batch_size)

    def generate_threaded(self, z: Any, strategy: str = "auto", parameters: Any | None = None) -> Any:
        """generate() by a strategy: the same numbers, faster. Without enable_threading it is generate()."""
        registered(strategy)
        if not self.enable_threading:
            strategy = "sequential"
        return self.threading_manager.execute(self, z, strategy, parameters)

    def benchmark_threading_performance(self, batch_sizes: Sequence[int] = (1, 4, 8, 16, 32)) -> Timings:
        """See benchmark_threading_performance()."""
        return benchmark_threading_performance(self, batch_sizes)

    def get_performance_report(self) -> dict[str, Any]:
        """See QuantumThreadingManager.get_performance_report()."""
        return self.threading_manager.get_performance_report()


def create_threaded_quantum_generator(generator_class: type[Any], **settings: Any) -> Any:
    """An instance of a subclass of generator_class with the mixin; the class itself is left as it is.

    >>> from skerry.cv import QuantumSFGenerator, create_threaded_quantum_generator
    >>> generator = create_threaded_quantum_generator(QuantumSFGenerator, n_modes=2, enable_threading=True)
    >>> type(generator).__name__, isinstance(generator, QuantumSFGenerator)
    ('ThreadedQuantumSFGenerator', True)
    """
    name = f"Threaded{generator_class.__name__}"
    threaded = type(name, (QuantumGeneratorThreadingMixin, generator_class), {"__doc__": generator_class.__doc__})
    return threaded(**settings)


def get_performance_report(generator: Any) -> dict[str, Any]:
    """The report of a threaded generator."""
    report: dict[str, Any] = generator.threading_manager.get_performance_report()
    return report


def adaptive_training_step(
    generator: Any, discriminator: Any, z: Any, real_data: Any, strategy: str | None = None
) -> tuple[Any, Any, Any]:
    """(samples, real scores, fake scores) by size: a batch from 32 on, threads from 8, unless a strategy is named."""
    if strategy is None:
        large = "gpu_batch" if generator.threading_manager.has_gpu else "cpu_batch"
        size = arrays.samples_in(z)
        strategy = large if size >= 32 else "threading" if size >= 8 else "sequential"
    samples = generator.generate_threaded(z, strategy=strategy)
    return samples, discriminator.discriminate(real_data), discriminator.discriminate(samples)


def cpu_seconds() -> float:
    """CPU time of this process, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def best_seconds(call: Callable[[], object], repeats: int) -> float:
    """The fastest of some calls, after one that warms up."""
    call()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def utilization(call: Callable[[], object], threads: int, seconds: float = 5e-3) -> float:
    """Percent of that many CPUs that a call keeps busy, called again and again for some time."""
    start, cpu, calls = time.perf_counter(), cpu_seconds(), 0
    while time.perf_counter() - start < seconds:
        call()
        calls += 1
    return Usage(calls, 0, time.perf_counter() - start, cpu_seconds() - cpu).utilization(threads)


def benchmark_threading_performance(
    generator: Any, batch_sizes: Sequence[int] = (1, 4, 8, 16, 32), repeats: int = 5
) -> Timings:
    """Seconds, samples per second and CPU utilisation of every strategy and batch size; printed, and given back.

    A strategy that is not available says so and names what would run in its place; no figure is made up for it.
    """
    rng = np.random.default_rng(0)
    executor = generator.threading_manager.executor
    results: Timings = {}
    for size in batch_sizes:
        z = rng.normal(scale=0.5, size=(size, generator.latent_dim))
        print(f"Batch Size: {size}\n{'-' * 20}")
        results[size] = {}
        for strategy in ("sequential", "cpu_batch", "threading", "auto"):
            run = functools.partial(executor.execute, generator, z, strategy)
            seconds = best_seconds(run, repeats)
            busy = utilization(run, executor.max_threads)
            results[size][strategy] = {
                "seconds": seconds,
                "samples_per_second": size / seconds,
                "cpu_utilization": busy,
            }
            print(f"  {strategy:<11}: {seconds:.6f}s ({size / seconds:.2f} samples/s, {busy:.0f}% CPU)")
        results[size]["gpu_batch"] = {"available": False, "fallback": GPU_FALLBACK}
        print(f"  gpu_batch  : not available, {GPU_FALLBACK} runs instead")
    return results


def test_quantum_threading() -> None:
    """Self-test of a few milliseconds: prints what it checked, raises AssertionError when something is wrong."""
    optimize_cpu_utilization()
    generator = create_threaded_quantum_generator(QuantumSFGenerator, n_modes=2, latent_dim=4, precision="double")
    z = np.random.default_rng(1).normal(scale=0.5, size=(19, 4))
    expected = generator.generate(z)
    for strategy in ("sequential", "cpu_batch", "threading", "auto"):
        same = np.array_equal(generator.generate_threaded(z, strategy=strategy), expected)
        if not same:
            raise AssertionError(f"strategy {strategy} gives other numbers than generate()")
        print(f"{strategy}: same bits as generate()")
    by_parameters, _ = generator.vjp(z, np.ones_like(expected), strategy="threading")
    step = 1e-5 * np.eye(len(by_parameters))[0]
    slope = generator.run(z, generator.parameters + step) - generator.run(z, generator.parameters - step)
    if abs(slope.sum() / 2e-5 - by_parameters[0]) > 1e-6:
        raise AssertionError("the gradient differs from finite differences")
    print("gradient: equals finite differences")


test_quantum_threading.__test__ = False  # type: ignore[attr-defined]
