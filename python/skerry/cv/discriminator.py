"""A dense discriminator with its gradients, for training loops in Python."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skerry.cv import arrays
from skerry.cv.threading import QuantumThreadingManager, Timings, benchmark_threading_performance

Array = NDArray[np.float64]


class QuantumDiscriminator:
    """Dense layers with leaky ReLU (slope 0.2) that score points of n_modes numbers: real or generated.

    Points go through the layers in blocks of rows_at_once, so that scores are the same bits on any number of threads.

    >>> import numpy as np
    >>> from skerry.cv import QuantumDiscriminator
    >>> discriminator = QuantumDiscriminator(n_modes=2, seed=1)
    >>> probabilities = discriminator.discriminate(np.zeros((3, 2)))
    >>> probabilities.shape, float(probabilities[0, 0])
    ((3, 1), 0.5)
    """

    SLOPE = 0.2
    rows_at_once = 512

    def __init__(self, n_modes: int = 2, hidden: tuple[int, ...] = (32, 32), seed: int = 0) -> None:
        self.n_modes = n_modes
        rng = np.random.default_rng(seed)
        widths = [n_modes, *hidden, 1]
        self.weights: list[Array] = [
            rng.normal(scale=np.sqrt(2 / fan_in), size=(fan_out, fan_in))
            for fan_in, fan_out in itertools.pairwise(widths)
        ]
        self.biases: list[Array] = [np.zeros(width) for width in widths[1:]]

    @property
    def trainable_variables(self) -> list[Array]:
        """W1, b1, W2, b2, ...; changed in place by an optimiser."""
        return [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]

    def logits(self, x: object) -> Array:
        """Scores of [batch, 1]; above 0 is real."""
        return np.concatenate([self._forward(block)[-1] for block in self._blocks(arrays.dense(x))])

    def discriminate(self, x: Any) -> Array:
        """Probabilities of [batch, 1] that the points are real."""
        return np.asarray(1 / (1 + np.exp(-self.logits(x))))

    def vjp(self, x: object, cotangent: object, threads: int = 1) -> tuple[list[Array], Array]:
        """Gradients by trainable_variables and by x of the sum of cotangent * logits(x)."""
        blocks = zip(self._blocks(arrays.dense(x)), self._blocks(arrays.dense(cotangent)), strict=True)
        if threads == 1:
            parts = [self._backward(*block) for block in blocks]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(lambda block: self._backward(*block), blocks))
        sums = [np.sum(np.stack(gradients), axis=0) for gradients in zip(*(part for part, _ in parts), strict=True)]
        return sums, np.concatenate([by_x for _, by_x in parts])

    def _blocks(self, rows: Array) -> list[Array]:
        return [rows[i : i + self.rows_at_once] for i in range(0, max(len(rows), 1), self.rows_at_once)]

    def _backward(self, x: Array, back: Array) -> tuple[list[Array], Array]:
        layers = self._forward(x)
        gradients: list[Array] = []
        for index in range(len(self.weights) - 1, -1, -1):
            gradients[:0] = [back.T @ layers[index], back.sum(axis=0)]
            back = back @ self.weights[index]
            if index > 0:
                back = back * np.where(layers[index] > 0, 1.0, self.SLOPE)
        return gradients, back

    def _forward(self, x: Array) -> list[Array]:
        layers = [x]
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight.T + bias
            if index + 1 < len(self.weights):
                x = np.where(x > 0, x, self.SLOPE * x)
            layers.append(x)
        return layers


class QuantumDiscriminatorThreadingMixin:
    """Adds threads to a discriminator class, as QuantumGeneratorThreadingMixin does to a generator's.

    >>> import numpy as np
    >>> from skerry.cv import QuantumDiscriminator, create_threaded_quantum_discriminator
    >>> discriminator = create_threaded_quantum_discriminator(QuantumDiscriminator, n_modes=2, max_threads=2)
    >>> points = np.random.default_rng(0).normal(size=(2000, 2))
    >>> bool((discriminator.discriminate_threaded(points, "threading") == discriminator.discriminate(points)).all())
    True
    >>> discriminator.get_performance_report()["strategy_usage"]
    {'threading': 1}
    """

    def __init__(
        self, *args: Any, enable_threading: bool = True, max_threads: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.enable_threading = enable_threading
        self.threading_manager = QuantumThreadingManager(max_threads)

    def discriminate_threaded(self, x: Any, strategy: str = "auto") -> Array:
        """discriminate() by a strategy, in parts on threads; one part after the other without enable_threading."""
        scores: Array = self.threading_manager.execute(
            _Scores(self), arrays.dense(x), strategy if self.enable_threading else "sequential"
        )
        return scores

    def get_performance_report(self) -> dict[str, Any]:
        """See QuantumThreadingManager.get_performance_report()."""
        return self.threading_manager.get_performance_report()

    def benchmark_threading_performance(self, batch_sizes: Sequence[int] = (1, 4, 8, 16, 32)) -> Timings:
        """See skerry.cv.benchmark_threading_performance(); points have self.n_modes numbers."""
        return benchmark_threading_performance(_Scores(self), batch_sizes)


class _Scores:
    """A discriminator in the place of a generator: points in, probabilities out."""

    def __init__(self, discriminator: Any) -> None:
        self.generate = discriminator.discriminate
        self.threading_manager = discriminator.threading_manager
        if hasattr(discriminator, "rows_at_once"):
            self.rows_at_once = discriminator.rows_at_once
        self.latent_dim = getattr(discriminator, "n_modes", None)


def create_threaded_quantum_discriminator(discriminator_class: type[Any], **settings: Any) -> Any:
    """An instance of a subclass of discriminator_class with the mixin; the class itself is left as it is."""
    name = f"Threaded{discriminator_class.__name__}"
    bases = (QuantumDiscriminatorThreadingMixin, discriminator_class)
    return type(name, bases, {"__doc__": discriminator_class.__doc__})(**settings)
