"""What computes a generator's samples: the native engine or one that a user registers, and the pool that lends them."""

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

import skerry
from skerry._core import PhotonicGenerator

Array = NDArray[np.float64]


class EngineSettings(NamedTuple):
    """What an engine is made for; QuantumSFGenerator says what each means."""

    modes: int
    latent: int
    layers: int
    cutoff: int
    encoding: str
    scale: float
    hidden: int
    amplitude: float
    is_double: bool = False


class Engine(Protocol):
    """A generator's network on some simulator or device. It is used by one thread at a time and need not be locked.

    parameters: the layers' in the order of PhotonicCircuit.layer(), then those of a classical network.
    """

    @property
    def layer_parameters(self) -> int:
        """How many parameters the photonic layers have."""
        ...

    @property
    def parameters(self) -> Array:
        """A copy of all parameters."""
        ...

    def set_parameters(self, values: Array) -> None:
        """Takes these parameters for the next calls."""
        ...

    def encode(self, z: Array) -> tuple[Array, Array]:
        """Re and Im of the coherent amplitudes, [batch, modes]."""
        ...

    def generate(self, z: Array, strategy: str, threads: int) -> tuple[Array, float]:
        """Position means of [batch, modes], and the greatest truncation leak."""
        ...

    def gradient(self, z: Array, cotangent: Array, strategy: str, threads: int) -> tuple[Array, Array, Array]:
        """Position means, gradient by parameters, gradient by z."""
        ...


_makers: dict[str, Callable[[EngineSettings], Engine]] = {}


def register_engine(name: str, make: Callable[[EngineSettings], Engine]) -> None:
    """Makes `name` an engine: QuantumSFGenerator(engine=name) computes by what make(settings) gives.

    Each calling thread gets an engine of its own. Where one raises, the strategy falls back to sequential, on the same
    engine; if that raises too, the error is the caller's.
    """
    if name == "native":
        raise skerry.InvalidArgument("engine 'native' is built in; choose another name")
    _makers[name] = make


def unregister_engine(name: str) -> None:
    """Forgets a registered engine; generators that have it keep it."""
    _makers.pop(name, None)


def _maker(name: str) -> Callable[[EngineSettings], Engine]:
    if name == "native":
        return lambda settings: PhotonicGenerator(*settings)
    if name not in _makers:
        known = ", ".join(["native", *sorted(_makers)])
        raise skerry.InvalidArgument(f"no engine is called '{name}'; take one of {known}")
    return _makers[name]


class EnginePool:
    """Native engines, one for each thread that calls: no two threads ever see the same one.

    A thread keeps its engine, warm, until it ends; engines of threads that have ended are lent to new ones, at most
    `most` of them wait for that.
    """

    def __init__(self, engine: str, settings: EngineSettings, most: int = 16) -> None:
        self._make = _maker(engine)
        self._settings = settings
        self._most = most
        self._now = _Engines(most)
        self._lock = threading.Lock()
        self.made = 0

    def mine(self) -> Engine:
        """The calling thread's engine."""
        now = self._now
        lease = getattr(now.leases, "lease", None)
        if lease is None:
            lease = now.leases.lease = _Lease(self._take(now), now.free)
        engine: Engine = lease.engine
        return engine

    def clear(self) -> None:
        """Gives the memory of all engines back; those at work go after their call, and the next call makes new ones."""
        self._now = _Engines(self._most)

    def _take(self, now: "_Engines") -> Engine:
        try:
            return now.free.pop()
        except IndexError:
            engine = self._make(self._settings)
        with self._lock:
            self.made += 1
        return engine


class _Engines:
    """What threads hold and what waits; replaced as a whole, so that nothing of it is ever lent by two pools."""

    def __init__(self, most: int) -> None:
        self.leases = threading.local()
        # append() and pop() are atomic: a lease may be dropped at any moment, so that no lock can be held for it
        self.free: deque[Engine] = deque(maxlen=most)


class _Lease:
    """A thread's hold on its engine: it goes with the thread, and the engine is free again."""

    def __init__(self, engine: Engine, free: deque[Engine]) -> None:
        self.engine = engine
        self._free = free

    def __del__(self) -> None:
        self._free.append(self.engine)
