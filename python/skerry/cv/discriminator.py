"""A dense discriminator with its gradients, for training loops in Python."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skerry.cv import arrays

Array = NDArray[np.float64]


class QuantumDiscriminator:
    """Dense layers with leaky ReLU (slope 0.2) that score points of n_modes numbers: real or generated.

    >>> import numpy as np
    >>> from skerry.cv import QuantumDiscriminator
    >>> discriminator = QuantumDiscriminator(n_modes=2, seed=1)
    >>> probabilities = discriminator.discriminate(np.zeros((3, 2)))
    >>> probabilities.shape, float(probabilities[0, 0])
    ((3, 1), 0.5)
    """

    SLOPE = 0.2

    def __init__(self, n_modes: int = 2, hidden: tuple[int, ...] = (32, 32), seed: int = 0) -> None:
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
        return self._forward(arrays.dense(x))[-1]

    def discriminate(self, x: Any) -> Array:
        """Probabilities of [batch, 1] that the points are real."""
        return np.asarray(1 / (1 + np.exp(-self.logits(x))))

    def vjp(self, x: object, cotangent: object) -> tuple[list[Array], Array]:
        """Gradients by trainable_variables and by x of the sum of cotangent * logits(x)."""
        layers = self._forward(arrays.dense(x))
        back = arrays.dense(cotangent)
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
