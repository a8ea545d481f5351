"""Continuous-variable quantum generators: layers of optics in Fock space, native threads, gradients for frameworks.

>>> import numpy as np
>>> from skerry.cv import QuantumSFGenerator, create_threaded_quantum_generator
>>> generator = create_threaded_quantum_generator(QuantumSFGenerator, n_modes=2, latent_dim=4, seed=1)
>>> z = np.random.default_rng(0).normal(size=(16, 4))
>>> samples = generator.generate_threaded(z, strategy="auto")
>>> samples.shape, bool((samples == generator.generate(z)).all())
((16, 2), True)
"""

from skerry._core import FockState
from skerry.cv.discriminator import (
    QuantumDiscriminator,
    QuantumDiscriminatorThreadingMixin,
    create_threaded_quantum_discriminator,
)
from skerry.cv.engines import Engine, EngineSettings, register_engine, unregister_engine
from skerry.cv.gaussian import GaussianState, hafnian, loop_hafnian, torontonian
from skerry.cv.generator import QuantumSFGenerator, TruncationWarning
from skerry.cv.load import LoadBalancer
from skerry.cv.profiling import GateTime, Profile, profile
from skerry.cv.strategies import (
    GPU_FALLBACK,
    choose_strategy,
    optimal_threads,
    optimize_cpu_utilization,
    register_strategy,
    strategies,
    unregister_strategy,
)
from skerry.cv.threading import (
    QuantumBatchExecutor,
    QuantumGeneratorThreadingMixin,
    QuantumThreadingManager,
    adaptive_training_step,
    benchmark_threading_performance,
    create_threaded_quantum_generator,
    get_performance_report,
    test_quantum_threading,
    utilization,
)

__all__ = [
    "GPU_FALLBACK",
    "Engine",
    "EngineSettings",
    "FockState",
    "GateTime",
    "GaussianState",
    "LoadBalancer",
    "Profile",
    "QuantumBatchExecutor",
    "QuantumDiscriminator",
    "QuantumDiscriminatorThreadingMixin",
    "QuantumGeneratorThreadingMixin",
    "QuantumSFGenerator",
    "QuantumThreadingManager",
    "TruncationWarning",
    "adaptive_training_step",
    "benchmark_threading_performance",
    "choose_strategy",
    "create_threaded_quantum_discriminator",
    "create_threaded_quantum_generator",
    "get_performance_report",
    "hafnian",
    "loop_hafnian",
    "optimal_threads",
    "optimize_cpu_utilization",
    "profile",
    "register_engine",
    "register_strategy",
    "strategies",
    "test_quantum_threading",
    "torontonian",
    "unregister_engine",
    "unregister_strategy",
    "utilization",
]
