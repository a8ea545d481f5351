"""Models made smaller step by step: single weights, channels, and training of what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry import _core
from skerry._core import Model
from skerry.compression import Pruned, _model, compare, prune
from skerry.errors import InvalidArgument
from skerry.fake_quantize import Floats
from skerry.files import PathLike
from skerry.fine_tuning import Batch, Loss, inputs_of, is_number, is_whole, require, require_training, targets_of


@dataclass(frozen=True)
class PruningConfig:
    """What ModelPruner.prune_model does: prune_ratio of single weights, then channels, then epochs of training.

    channel_ratio: of each group of channels; importance_threshold: instead, where it is not 0, those leave whose
    importance is below this share of the mean.
    """

    prune_ratio: float = 0.5
    channel_ratio: float = 0.0
    importance_threshold: float = 0.0
    fine_tune_epochs: int = 0
    batch_size: int = 32
    learning_rate: float = 1e-3
    loss: Loss = "cross_entropy"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("prune_ratio", "channel_ratio"):
            ratio = getattr(self, name)
            require(is_number(ratio) and 0 <= ratio < 1, name, ratio, "a share from 0 to below 1")
        threshold = self.importance_threshold
        require(is_number(threshold) and threshold >= 0, "importance_threshold", threshold, "0 or more")
        for name, least in (("fine_tune_epochs", 0), ("batch_size", 1), ("seed", 0)):
            count = getattr(self, name)
            require(is_whole(count) and count >= least, name, count, f"a whole number, {least} or more")
        require_training(self.loss, self.learning_rate)


@dataclass(frozen=True)
class ChannelDependency:
    """Channels that leave together: layers that make them, convolutions that follow them one by one, their users.

    importance: of each channel, by squared magnitude; the mean is 1.
    """

    channels: int
    layers: list[str]
    depthwise: list[str]
    users: list[str]
    importance: list[float]


@dataclass(frozen=True)
class PrunedParameter:
    """A tensor that is left to train: its values, and which of them may change."""

    name: str
    layer: str
    values: Floats
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class PruningReport:
    """What pruning did: share of weights that are zero or gone, right answers before, after pruning, and at the end.

    The scores are those of compare(): with labels the share that is right, else that agrees; NaN without data.
    """

    model: Model
    sparsity: float
    score_before: float
    score_pruned: float
    score: float
    losses: list[float] = field(default_factory=list)


class ModelPruner:
    """Makes a model smaller step by step; `model` is what it is now.

    Raises InvalidArgument (ratios, names), Unsupported (nothing to prune, an operator without a derivative).
    """

    def __init__(self, model: Model | PathLike, config: PruningConfig | None = None) -> None:
        self.config = config or PruningConfig()
        self.model = _model(model)
        self._weights = self._count(self.model)[1]

    def _tuner(self, model: Model) -> _core.FineTuner:
        return _core.FineTuner(model, self.config.loss, self.config.learning_rate, 0, 0, True, [])

    def _count(self, model: Model) -> tuple[int, int]:
        """Weights of layers that are not zero, and all."""
        weights = [
            (left, values.size) for _, _, _, is_bias, values, left in self._tuner(model).parameters() if not is_bias
        ]
        return sum(left for left, _ in weights), sum(size for _, size in weights)

    @property
    def sparsity(self) -> float:
        """The share of the given model's weights that are zero or gone."""
        return 1 - self._count(self.model)[0] / self._weights

    def _became(self, pruned: Pruned) -> Pruned:
        self.model = pruned.model
        return pruned

    def magnitude_pruning(self, prune_ratio: float | None = None) -> Pruned:
        """The smallest weights become zero: prune_ratio of all."""
        return self._became(prune(self.model, self.config.prune_ratio if prune_ratio is None else prune_ratio))

    def analyze_dependencies(self) -> list[ChannelDependency]:
        """Which channels stand and fall together, through residual sums, concatenations and depthwise convolutions."""
        return [ChannelDependency(*one) for one in _core.channel_dependencies(self.model)]

    def dependency_pruning(self, importance_threshold: float | None = None) -> Pruned:
        """Whole channels leave on all sides: the configuration's share, or those below importance_threshold."""
        threshold = (
            importance_threshold if importance_threshold is not None else self.config.importance_threshold or None
        )
        ratio = self.config.channel_ratio
        return self._became(prune(self.model, ratio, structured=True, importance_threshold=threshold))

    def prune_layer(self, layer: str, ratio: float) -> Pruned:
        """A share of one layer's channels leaves, with those that hang together with them."""
        groups = self.analyze_dependencies()
        if all(layer not in group.layers for group in groups):
            known = ", ".join(name for group in groups for name in group.layers)
            raise InvalidArgument(f"the channels of '{layer}' cannot leave", "layer", f"take one of {known}")
        others = [name for group in groups if layer not in group.layers for name in group.layers]
        return self._became(prune(self.model, ratio, structured=True, keep=others))

    def get_pruned_parameters(self) -> list[PrunedParameter]:
        """What is left to train: weights that are not zero, and biases."""
        return [
            PrunedParameter(name, layer, values, np.ones(values.shape, bool) if is_bias else values != 0)
            for name, layer, _, is_bias, values, _ in self._tuner(self.model).parameters()
        ]

    def _batches(self, inputs: dict[str, Any], targets: NDArray[Any]) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
        size = min(self.config.batch_size, len(targets))
        rng = np.random.default_rng(self.config.seed)
        for _ in range(self.config.fine_tune_epochs):
            order = rng.permutation(len(targets))
            for first in range(0, len(targets) - size + 1, size):
                rows = order[first : first + size]
                yield {name: np.asarray(array)[rows] for name, array in inputs.items()}, targets[rows]

    def fine_tune_pruned_model(self, data: Batch, targets: ArrayLike) -> list[float]:
        """Trains what is left for the configuration's epochs; zeros stay zero. The loss of each step."""
        tuner = self._tuner(self.model)
        inputs, wanted = inputs_of(self.model, data), targets_of(self.config.loss, targets)
        losses = [tuner.step(batch, rows) for batch, rows in self._batches(inputs, wanted)]
        self.model = tuner.model()
        return losses

    def prune_model(
        self,
        data: Batch | None = None,
        targets: ArrayLike | None = None,
        *,
        judge: Batch | None = None,
        labels: ArrayLike | None = None,
    ) -> PruningReport:
        """Single weights, then channels, then training, each where the configuration asks for it.

        data, targets: what is trained on; judge, labels: what the scores are measured on, the same without them.
        """
        given, config = self.model, self.config
        if config.fine_tune_epochs > 0 and (data is None or targets is None):
            raise InvalidArgument("epochs of training without data", "fine_tune_epochs", "give data and targets")
        if config.prune_ratio > 0:
            self.magnitude_pruning()
        if config.channel_ratio > 0 or config.importance_threshold > 0:
            self.dependency_pruning()
        pruned, losses = self.model, []
        if config.fine_tune_epochs > 0 and data is not None and targets is not None:
            losses = self.fine_tune_pruned_model(data, targets)
        tried, told = (data, targets) if judge is None else (judge, labels)
        if tried is None:
            nan = float("nan")
            return PruningReport(self.model, self.sparsity, nan, nan, nan, losses)
        told = told if config.loss == "cross_entropy" else None
        rows = inputs_of(given, tried)
        before, after = (compare(given, model, rows, labels=told) for model in (pruned, self.model))
        return PruningReport(self.model, self.sparsity, before.score_before, before.score, after.score, losses)
