"""What the quantum generators promise about the process: threads, memory, allocation, start-up, books."""

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest
from skerry import cv

FRAME = """
import json, os, sys
import numpy as np
from skerry import cv

def tasks():
    return len(os.listdir("/proc/self/task"))

def peak():  # of this process alone: getrusage tells what it was forked from as well
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""


def alone(body: str, **environment: str) -> Any:
    """What `body` puts into `found`, in a process of its own without other libraries' threads."""
    code = FRAME + textwrap.dedent(body) + "\nprint(json.dumps(found))\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **environment},
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("max_threads", [1, 2])
def test_max_threads_is_never_exceeded(max_threads: int) -> None:
    found = alone(
        f"""
        generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads={max_threads})
        before = tasks()
        for size in (4, 64, 512):
            generator.generate_threaded(np.zeros((size, 4)), strategy="threading")
        found = tasks() - before
        """,
        SKERRY_NUM_THREADS=str(max_threads),
    )
    assert found <= max_threads - 1  # the caller is one of them


def test_a_call_keeps_no_more_threads_busy_than_max_threads() -> None:
    found = alone(
        """
        import time, skerry
        skerry.set_num_threads(4)
        generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads=1)
        z = np.zeros((4096, 4))
        generator.generate_threaded(z, strategy="threading")
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(40):
            generator.generate_threaded(z, strategy="threading")
        found = (time.process_time() - cpu) / (time.perf_counter() - wall)
        """
    )
    assert found < 1.3  # CPUs kept busy


def test_peak_memory_is_flat_over_batches_of_gpu_batch() -> None:
    found = alone(
        """
        import warnings
        warnings.simplefilter("ignore")
        generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, gpu_batch_size=32)
        z = np.random.default_rng(0).normal(size=(1024, 4)) * 0.3
        generator.generate_threaded(z[:32], strategy="gpu_batch")
        first = peak()
        generator.generate_threaded(z, strategy="gpu_batch")
        found = peak() - first
        """
    )
    assert found < 8e6


def test_a_thousand_samples_and_their_gradients_stay_below_200_megabytes() -> None:
    found = alone(
        """
        generator = cv.QuantumSFGenerator(n_modes=2, latent_dim=4, layers=2, cutoff_dim=8)
        z = np.random.default_rng(0).normal(size=(1024, 4)) * 0.3
        generator.generate(z)
        generator.vjp(z, np.ones((1024, 2)))
        found = peak()
        """
    )
    assert found < 200e6


def test_nothing_is_kept_after_warm_up() -> None:
    found = alone(
        """
        import ctypes
        class Info(ctypes.Structure):
            _fields_ = [(name, ctypes.c_size_t) for name in
                        ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
                         "keepcost")]
        mallinfo = ctypes.CDLL(None).mallinfo2
        mallinfo.restype = Info
        held = lambda: mallinfo().uordblks + mallinfo().hblkhd
        generator = cv.QuantumSFGenerator(n_modes=2, latent_dim=4, layers=2, cutoff_dim=8)
        z = np.random.default_rng(0).normal(size=(64, 4)) * 0.3
        for _ in range(5):
            generator.generate(z)
        before = held()
        for _ in range(200):
            generator.generate(z)
        found = held() - before
        """
    )
    assert found < 64 << 10


def test_threads_and_memory_come_back() -> None:
    found = alone(
        """
        import gc
        def use():
            settings = {"n_modes": 3, "cutoff_dim": 10, "max_threads": 2}
            generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, **settings)
            generator.generate_threaded(np.zeros((64, 4)), strategy="threading")
        use()
        gc.collect()
        threads, bytes_before = tasks(), resident()
        for _ in range(20):
            use()
        gc.collect()
        found = [tasks() - threads, resident() - bytes_before]
        """
    )
    assert found[0] <= 0
    assert found[1] < 16e6


def test_the_report_is_cheap_and_says_what_it_measured() -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, n_modes=1, latent_dim=2)
    for _ in range(3):
        generator.generate_threaded(np.zeros((4, 2)))
    report = generator.get_performance_report()
    assert report["total_executions"] == 3 == sum(report["strategy_usage"].values())
    assert 0 <= report["cpu_utilization_estimate"] <= 100


def test_utilisation_settings_are_those_of_the_machine() -> None:
    chosen = cv.optimize_cpu_utilization()
    assert chosen["threads"] == len(os.sched_getaffinity(0)) == chosen["intra_op_threads"]
    assert cv.optimal_threads() == min(len(os.sched_getaffinity(0)), 8)
