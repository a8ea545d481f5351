"""How a batch may be worked through, by name, and the rules that choose among the names."""

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skerry

Array = NDArray[np.float64]
#: A strategy of the user's: (generator, latents of [batch, latent]) to samples of [batch, modes].
Strategy = Callable[[Any, Array], Array]

BUILT_IN = ("sequential", "cpu_batch", "threading", "gpu_batch", "auto")
#: What runs when `gpu_batch` is asked for: this build has no GPU kernels for Fock kets.
GPU_FALLBACK = "cpu_batch"
_registered: dict[str, Strategy] = {}


def register_strategy(name: str, run: Strategy) -> None:
    """Makes `name` a strategy: run(generator, z) gives the samples.

    >>> import numpy as np
    >>> from skerry import cv
    >>> cv.register_strategy("halves", lambda g, z: np.concatenate([g.generate(z[:1]), g.generate(z[1:])]))
    >>> generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, n_modes=1, latent_dim=2)
    >>> generator.generate_threaded(np.zeros((3, 2)), strategy="halves").shape
    (3, 1)
    >>> cv.unregister_strategy("halves")
    """
    if name in BUILT_IN:
        raise skerry.InvalidArgument(f"strategy '{name}' is built in; choose another name")
    _registered[name] = run


def unregister_strategy(name: str) -> None:
    """Forgets a registered strategy."""
    _registered.pop(name, None)


def strategies() -> list[str]:
    """Every name that may be passed as a strategy."""
    return [*BUILT_IN, *sorted(_registered)]


def registered(name: str) -> Strategy | None:
    """The user's strategy of that name. Raises InvalidArgument for a name that is none at all."""
    if name not in BUILT_IN and name not in _registered:
        raise skerry.InvalidArgument(f"no strategy is called '{name}'; take one of {', '.join(strategies())}")
    return _registered.get(name)


def choose_strategy(batch_size: int, has_gpu: bool = False) -> str:
    """The rule of thumb by fixed thresholds: 32 for a GPU, 16 for one batch, 4 for threads.

    >>> from skerry.cv import choose_strategy
    >>> [choose_strategy(n) for n in (1, 4, 15, 16, 64)], choose_strategy(32, has_gpu=True)
    (['sequential', 'threading', 'threading', 'cpu_batch', 'cpu_batch'], 'gpu_batch')
    """
    if has_gpu and batch_size >= 32:
        return "gpu_batch"
    if batch_size >= 16:
        return "cpu_batch"
    if batch_size >= 4:
        return "threading"
    return "sequential"


def usable_cpus() -> int:
    """CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def optimal_threads() -> int:
    """min(usable CPUs, 8): the default of max_threads."""
    return min(usable_cpus(), 8)


def optimize_cpu_utilization() -> dict[str, int | bool]:
    """Gives every usable CPU to Skerry, and to TensorFlow if that is loaded and not yet running; says what was set."""
    cpus = usable_cpus()
    skerry.set_num_threads(cpus)
    chosen: dict[str, int | bool] = {"threads": cpus, "inter_op_threads": cpus, "intra_op_threads": cpus, "jit": False}
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        try:
            tensorflow.config.threading.set_inter_op_parallelism_threads(cpus)
            tensorflow.config.threading.set_intra_op_parallelism_threads(cpus)
            tensorflow.config.optimizer.set_jit(True)
            chosen["jit"] = True
        except RuntimeError:  # it has started already and keeps what it has
            pass
    return chosen
