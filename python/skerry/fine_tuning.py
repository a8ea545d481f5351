"""Training models further: with rounding in mind before they are quantised, and after they were pruned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry import _core
from skerry._core import GraphBuilder, GraphValue, Model
from skerry.compression import Data, Pruned, Quantized, _model, compare, prune, quantize
from skerry.errors import InvalidArgument, Unsupported
from skerry.files import PathLike

Loss = Literal["cross_entropy", "mean_squared"]
Batch = ArrayLike | Mapping[str, ArrayLike]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class QuantConfig:
    """How a model is trained for few bits: 2 to 16 of weights and of the inputs of layers, 0 to leave them.

    loss: cross_entropy with labels, or mean_squared with the wanted outputs. keep: layers that are not rounded.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    loss: Loss = "cross_entropy"
    learning_rate: float = 1e-3
    keep: tuple[str, ...] = ()


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


class FakeQuantize:
    """Rounds numbers to the levels of some bits, and lets gradients through as if it did not.

    Outside of the range the levels end, and gradients are zero (Jacob et al., CVPR 2018). The range is seen: the first
    call takes it from what it is given, observe() moves it on. axis: a range for each place along it.

    >>> import numpy, skerry
    >>> four = skerry.FakeQuantize.with_bits(2)
    >>> four(numpy.float32([0, 0.2, 0.9, 3])).tolist()
    [0.0, 0.0, 1.0, 3.0]
    >>> four.vjp(numpy.float32([-1, 0.2, 5]), numpy.float32([1, 1, 1])).tolist()
    [0.0, 1.0, 0.0]
    """

    FOLLOW = 0.1  # what a new range adds to the known one

    def __init__(self, bits: int, symmetric: bool = False, axis: int | None = None) -> None:
        if not 2 <= bits <= 16:
            raise InvalidArgument(f"{bits} bits", "bits", "give 2 to 16")
        self.bits, self.symmetric, self.axis = bits, symmetric, axis
        self.lowest: int = 1 - 2 ** (bits - 1) if symmetric else 0
        self.highest: int = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
        self._range: tuple[Floats, Floats] | None = None

    @classmethod
    def with_bits(cls, bits: int, *, symmetric: bool = False, axis: int | None = None) -> FakeQuantize:
        """For 2 to 16 bits: affine levels from 0 on, or symmetric ones around it."""
        return cls(bits, symmetric, axis)

    def observe(self, x: ArrayLike) -> None:
        """Moves the range towards that of x, which holds 0."""
        values = np.asarray(x, np.float32)
        axes = None if self.axis is None else tuple(i for i in range(values.ndim) if i != self.axis % values.ndim)
        keep = self.axis is not None
        least = np.minimum(values.min(axes, keepdims=keep), 0).astype(np.float32)
        most = np.maximum(values.max(axes, keepdims=keep), 0).astype(np.float32)
        if self._range is not None:
            least = self._range[0] + self.FOLLOW * (least - self._range[0])
            most = self._range[1] + self.FOLLOW * (most - self._range[1])
        self._range = np.asarray(least, np.float32), np.asarray(most, np.float32)

    def reset(self) -> None:
        """Forgets the range."""
        self._range = None

    @property
    def scale(self) -> Floats:
        """What lies between two levels."""
        if self._range is None:
            raise InvalidArgument("no range has been seen", "FakeQuantize", "call observe() first")
        least, most = self._range
        spread = np.maximum(-least, most) / self.highest if self.symmetric else (most - least) / self.highest
        return np.where(spread > 0, spread, 1).astype(np.float32)

    @property
    def zero_point(self) -> Floats:
        """The level of 0."""
        scale = self.scale
        assert self._range is not None
        return np.zeros_like(scale) if self.symmetric else np.round(-self._range[0] / scale).astype(np.float32)

    def _rounded(self, graph: GraphBuilder, x: GraphValue, name: str) -> GraphValue:
        """x on its levels; further inputs are `scale:name` and `zero:name`."""
        shape = list(self.scale.shape)
        scale, zero = graph.input(f"scale:{name}", shape), graph.input(f"zero:{name}", shape)
        # A quarter of a level more on each side: the outermost levels are inside, and round to themselves.
        low, high = (graph.constant(np.float32(end)) for end in (self.lowest - 0.25, self.highest + 0.25))
        level = graph.add("Add", [graph.add("Div", [x, scale]), zero])
        level = graph.add("Round", [graph.add("Clip", [level, low, high])])
        return graph.add("Mul", [graph.add("Sub", [level, zero]), scale])

    def _inputs(self, name: str) -> dict[str, Any]:
        return {f"scale:{name}": self.scale, f"zero:{name}": self.zero_point}

    def _graph(self, shape: tuple[int, ...]) -> Model:
        graph = GraphBuilder()
        graph.output(self._rounded(graph, graph.input("x", list(shape)), "x"), "y")
        return graph.build()

    def __call__(self, x: ArrayLike) -> Floats:
        values = np.asarray(x, np.float32)
        if self._range is None:
            self.observe(values)
        found = self._graph(values.shape).session().run({"x": values, **self._inputs("x")})
        return np.asarray(found["y"])

    def vjp(self, x: ArrayLike, cotangent: ArrayLike) -> Floats:
        """The cotangent of x: that of the result inside of the range, zero outside."""
        values = np.asarray(x, np.float32)
        both = self._graph(values.shape).differentiate(["x"])
        given = {"x": values, "grad:y": np.asarray(cotangent, np.float32), **self._inputs("x")}
        return np.asarray(both.session().run(given)["grad:x"])


class QuantizationAwareLinear:
    """A dense layer that computes with rounded weights and inputs; its weights are the exact ones.

    weight: [out_features, in_features]; bias: [out_features] or None.

    >>> import numpy, skerry
    >>> layer = skerry.QuantizationAwareLinear(3, 2, bias=False)
    >>> layer.weight[:] = [[1, 0, -1], [0.5, 0.5, 0.5]]
    >>> layer(numpy.float32([[1, 0, 2]])).round(2).tolist()
    [[-1.0, 1.5]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        weight_bits: int = 8,
        activation_bits: int = 8,
        bias: bool = True,
        seed: int = 0,
    ) -> None:
        bound = 1 / np.sqrt(in_features)
        rng = np.random.default_rng(seed)
        self.weight: Floats = rng.uniform(-bound, bound, (out_features, in_features)).astype(np.float32)
        self.bias: Floats | None = np.zeros(out_features, np.float32) if bias else None
        self.weight_quant = FakeQuantize.with_bits(weight_bits, symmetric=True, axis=0)
        self.activation_quant = FakeQuantize.with_bits(activation_bits)

    @property
    def fake_quant_modules(self) -> tuple[FakeQuantize, FakeQuantize]:
        """Of the weights and of the inputs."""
        return self.weight_quant, self.activation_quant

    def _graph(self, rows: int) -> Model:
        graph = GraphBuilder()
        x, weight = graph.input("x", [rows, self.weight.shape[1]]), graph.input("weight", list(self.weight.shape))
        operands: list[GraphValue | None] = [
            self.activation_quant._rounded(graph, x, "x"),
            self.weight_quant._rounded(graph, weight, "weight"),
        ]
        if self.bias is not None:
            operands.append(graph.input("bias", list(self.bias.shape)))
        graph.output(graph.add("Gemm", operands, transB=1), "y")
        return graph.build()

    def _inputs(self, x: Floats, follow: bool) -> dict[str, Any]:
        self.weight_quant.reset()
        self.weight_quant.observe(self.weight)
        if follow or self.activation_quant._range is None:
            self.activation_quant.observe(x)
        given = {"x": x, "weight": self.weight}
        if self.bias is not None:
            given["bias"] = self.bias
        return {**given, **self.activation_quant._inputs("x"), **self.weight_quant._inputs("weight")}

    def __call__(self, x: ArrayLike, *, follow: bool = False) -> Floats:
        """[rows, out_features]; follow: the range of the inputs moves towards that of x."""
        values = np.asarray(x, np.float32)
        given = self._inputs(values, follow)
        return np.asarray(self._graph(len(values)).session().run(given)["y"])

    def vjp(self, x: ArrayLike, cotangent: ArrayLike) -> dict[str, Floats]:
        """Cotangents of `x`, `weight` and, where there is one, `bias`."""
        values = np.asarray(x, np.float32)
        given = self._inputs(values, False)
        by = [name for name in ("x", "weight", "bias") if name in given]
        both = self._graph(len(values)).differentiate(by).session()
        found = both.run({**given, "grad:y": np.asarray(cotangent, np.float32)})
        return {name: np.asarray(found[f"grad:{name}"]) for name in by}


@dataclass(frozen=True)
class QuantizationAwareLayer:
    """A layer of a model that is trained: its weights as they are now, and what rounds them."""

    name: str
    op: str
    weight: Floats
    bias: Floats | None
    weight_bits: int
    activation_bits: int


def _batch(model: Model, batch: Batch) -> dict[str, Any]:
    if isinstance(batch, Mapping):
        return dict(batch)
    if len(model.inputs) != 1:
        names = ", ".join(info.name for info in model.inputs)
        raise InvalidArgument("one array for several inputs", "batch", f"give a mapping of {names}")
    return {model.inputs[0].name: np.asarray(batch)}


def _targets(loss: Loss, targets: ArrayLike) -> NDArray[Any]:
    return np.asarray(targets, np.int64 if loss == "cross_entropy" else np.float32)


class QuantizationAwareTrainer:
    """Trains a model for the bits that it will have: forward on levels, gradients straight through, Adam in C++.

    Layers are Conv, Gemm and MatMul with constant weights, wherever they stand. Raises InvalidArgument (bits, names),
    Unsupported (nothing to train, an operator without a derivative).
    """

    def __init__(self, model: Model | PathLike, quant_config: QuantConfig | None = None) -> None:
        self.quant_config = quant_config or QuantConfig()
        self._given = _model(model)
        self._tuner: _core.FineTuner | None = None

    def make_quantization_aware(self) -> dict[str, QuantizationAwareLayer]:
        """Puts rounding into every layer; weights stay as they are to the bit. Layers by name."""
        config = self.quant_config
        self._tuner = _core.FineTuner(
            self._given,
            config.loss,
            config.learning_rate,
            config.weight_bits,
            config.activation_bits,
            False,
            list(config.keep),
        )
        return self.layers

    @property
    def _trained(self) -> _core.FineTuner:
        if self._tuner is None:
            self.make_quantization_aware()
        assert self._tuner is not None
        return self._tuner

    @property
    def layers(self) -> dict[str, QuantizationAwareLayer]:
        """Layers by name, with their weights as they are now."""
        config, found = self.quant_config, self._trained.parameters()
        biases = {layer: values for _, layer, _, is_bias, values, _ in found if is_bias}
        return {
            layer: QuantizationAwareLayer(
                layer,
                op,
                values,
                biases.get(layer),
                0 if layer in config.keep else config.weight_bits,
                0 if layer in config.keep else config.activation_bits,
            )
            for _, layer, op, is_bias, values, _ in found
            if not is_bias
        }

    def compute_loss(self, batch: Batch, targets: ArrayLike) -> float:
        """The loss of a batch on levels. batch: an array, or arrays by input name."""
        return self._trained.loss(_batch(self._given, batch), _targets(self.quant_config.loss, targets))

    def train_step(self, batch: Batch, targets: ArrayLike) -> float:
        """The loss of a batch, then one update: forward, loss, backward, Adam."""
        return self._trained.step(_batch(self._given, batch), _targets(self.quant_config.loss, targets))

    @property
    def model(self) -> Model:
        """The model with its weights as they are now, exact."""
        return self._trained.model()

    def export(self, data: Data, **options: Any) -> Quantized:
        """quantize() of the trained model in the bits that it was trained for.

        Raises Unsupported for bits that no format has: 8 and 8, or weights of 8 or 4 bits alone.
        """
        config = self.quant_config
        kinds: dict[tuple[int, int], Literal["int8", "int8-weights", "int4-weights"]] = {
            (8, 8): "int8",
            (8, 0): "int8-weights",
            (4, 0): "int4-weights",
        }
        kind = kinds.get((config.weight_bits, config.activation_bits))
        if kind is None:
            raise Unsupported(
                f"no format has weights of {config.weight_bits} bits and activations of {config.activation_bits}",
                "export",
                "train for 8 and 8, 8 and 0, or 4 and 0",
            )
        return quantize(self.model, data, kind=kind, keep=config.keep, **options)


def make_quantization_aware(
    model: Model | PathLike, quant_config: QuantConfig | None = None
) -> QuantizationAwareTrainer:
    """A trainer with rounding in every layer of the model, whose weights stay as they are."""
    trainer = QuantizationAwareTrainer(model, quant_config)
    trainer.make_quantization_aware()
    return trainer


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
        inputs, wanted = _batch(self.model, data), _targets(self.config.loss, targets)
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
        rows = _batch(given, tried)
        before, after = (compare(given, model, rows, labels=told) for model in (pruned, self.model))
        return PruningReport(self.model, self.sparsity, before.score_before, before.score, after.score, losses)
