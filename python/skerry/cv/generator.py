"""A quantum generator: latents as coherent states, layers of optics, quadrature means out."""

import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skerry
from skerry.cv import arrays
from skerry.cv.engines import Engine, EnginePool, EngineSettings

Array = NDArray[np.float64]


class TruncationWarning(UserWarning):
    """More probability than leak_warning lies beyond the cutoff: results are not to be trusted."""


class QuantumSFGenerator:
    """A continuous-variable neural network in Fock space that maps latents to points.

    >>> import numpy as np
    >>> from skerry.cv import QuantumSFGenerator
    >>> generator = QuantumSFGenerator(n_modes=2, latent_dim=4, layers=2, cutoff_dim=8, seed=3)
    >>> generator.parameters.shape, generator.generate(np.zeros((5, 4))).shape
    ((28,), (5, 2))

    n_modes: optical modes, one output each (the mean of x, hbar = 2). latent_dim: numbers in z. cutoff_dim: photon
    numbers kept in each mode. encoding_strategy: coherent_state, direct_displacement or classical_neural. precision:
    single or double. leak_warning: the truncation leak above which a TruncationWarning is given. engine: what
    computes, `native` or a name given to register_engine().
    """

    def __init__(
        self,
        n_modes: int = 2,
        latent_dim: int = 4,
        layers: int = 2,
        cutoff_dim: int = 8,
        encoding_strategy: str = "coherent_state",
        *,
        scale: float = 0.5,
        hidden: int = 6,
        amplitude: float = 1.0,
        precision: str = "single",
        seed: int = 0,
        leak_warning: float = 1e-2,
        engine: str = "native",
    ) -> None:
        if precision not in ("single", "double"):
            raise skerry.InvalidArgument(f"precision '{precision}'; take single or double")
        self.n_modes = n_modes
        self.latent_dim = latent_dim
        self.layers = layers
        self.cutoff_dim = cutoff_dim
        self.encoding_strategy = encoding_strategy
        self.leak_warning = leak_warning
        self._leaks = threading.local()
        settings = EngineSettings(n_modes, latent_dim, layers, cutoff_dim, encoding_strategy, scale, hidden, amplitude)
        self.settings = settings._replace(is_double=precision == "double")
        self.engine = engine
        self.engines = EnginePool(engine, self.settings)
        first = self.engines.mine()
        self.layer_parameters = first.layer_parameters
        rng = np.random.default_rng(seed)
        self.parameters: Array = rng.normal(scale=0.1, size=first.parameters.shape)
        network = self.parameters[self.layer_parameters :]
        network *= 10.0 / np.sqrt(max(latent_dim, 1))

    @property
    def last_leak(self) -> float:
        """The greatest truncation leak of the last batch that the calling thread had made; 0 before it had any."""
        leak: float = getattr(self._leaks, "leak", 0.0)
        return leak

    @property
    def trainable_variables(self) -> list[Array]:
        """The parameters of the photonic layers, and those of the classical network if there is one."""
        parts = [self.parameters[: self.layer_parameters], self.parameters[self.layer_parameters :]]
        return [part for part in parts if part.size]

    def encode(self, z: object) -> NDArray[np.complex128]:
        """Coherent amplitudes of [batch, modes] for latents of [batch, latent]."""
        re, im = self._engine(None).encode(self._latents(z))
        return np.asarray(re + 1j * im)

    def generate(self, z: Any, parameters: Any | None = None) -> Any:
        """Samples of [batch, n_modes], one after the other on one thread; in z's framework, with its gradients."""
        return arrays.apply(self, z, parameters, arrays.Work())

    def run(
        self,
        z: Array,
        parameters: Array | None = None,
        strategy: str = "cpu_batch",
        threads: int = 0,
        at_once: int | None = None,
    ) -> Array:
        """generate() for NumPy by a native strategy: sequential, cpu_batch or threading.

        threads: 0 for the process's budget. at_once: samples that the engine is given in one call; None for all.
        """
        z = self._latents(z)
        engine, step = self._engine(parameters), at_once or max(len(z), 1)
        parts = [engine.generate(z[i : i + step], strategy, threads) for i in range(0, max(len(z), 1), step)]
        samples = parts[0][0] if len(parts) == 1 else np.concatenate([part for part, _ in parts])
        leak = max(leak for _, leak in parts)
        self._leaks.leak = leak
        if leak > self.leak_warning:
            self._warn(leak)
        return samples

    def vjp(
        self,
        z: object,
        cotangent: object,
        parameters: Array | None = None,
        strategy: str = "cpu_batch",
        threads: int = 0,
    ) -> tuple[Array, Array]:
        """Gradients by all parameters and by z of the sum of cotangent * generate(z).

        >>> import numpy as np
        >>> from skerry.cv import QuantumSFGenerator
        >>> generator = QuantumSFGenerator(n_modes=1, latent_dim=2, layers=1, precision="double")
        >>> by_parameters, by_z = generator.vjp(np.ones((3, 2)), np.ones((3, 1)))
        >>> by_parameters.shape, by_z.shape
        ((6,), (3, 2))
        """
        z = self._latents(z)
        _, by_parameters, by_z = self._engine(parameters).gradient(z, arrays.dense(cotangent), strategy, threads)
        return by_parameters, by_z

    def _engine(self, parameters: Array | None) -> Engine:
        engine = self.engines.mine()
        engine.set_parameters(self.parameters if parameters is None else parameters)
        return engine

    def _latents(self, z: object) -> Array:
        latents = arrays.dense(z)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise skerry.TypeMismatch(f"latents of shape {latents.shape}; pass [batch, {self.latent_dim}]")
        return latents

    def _warn(self, leak: float) -> None:
        warnings.warn(
            f"{leak:.1%} of a sample lies beyond cutoff_dim={self.cutoff_dim}; take a larger one or smaller latents",
            TruncationWarning,
            stacklevel=4,
        )
