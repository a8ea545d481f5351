"""Training models for the bits that they will have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry import _core
from skerry._core import Model
from skerry.compression import Data, Quantized, _model, are_classes, quantize
from skerry.errors import InvalidArgument, Unsupported
from skerry.fake_quantize import Floats
from skerry.files import PathLike

Loss = Literal["cross_entropy", "mean_squared"]
Batch = ArrayLike | Mapping[str, ArrayLike]


def is_whole(value: object) -> bool:
    """Whether it is an integer that counts something."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a number that is finite."""
    return (is_whole(value) or isinstance(value, float | np.floating)) and bool(np.isfinite(cast(float, value)))


def require(is_right: bool, name: str, value: object, wanted: str) -> None:
    """Raises InvalidArgument by the name of a field."""
    if not is_right:
        raise InvalidArgument(f"{name} is {value!r}", name, f"give {wanted}")


def require_training(loss: object, learning_rate: float) -> None:
    """Raises InvalidArgument for a loss that is none, or a rate that nothing is trained with."""
    require(loss in get_args(Loss), "loss", loss, " or ".join(get_args(Loss)))
    require(is_number(learning_rate) and learning_rate > 0, "learning_rate", learning_rate, "a positive number")


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

    def __post_init__(self) -> None:
        for name in ("weight_bits", "activation_bits"):
            bits = getattr(self, name)
            require(is_whole(bits) and (bits == 0 or 2 <= bits <= 16), name, bits, "2 to 16, or 0 for none")
        require_training(self.loss, self.learning_rate)


def inputs_of(model: Model, batch: Batch) -> dict[str, Any]:
    """Arrays by input name; one array is of a model with one input."""
    if isinstance(batch, Mapping):
        return dict(batch)
    if len(model.inputs) != 1:
        names = ", ".join(info.name for info in model.inputs)
        raise InvalidArgument("one array for several inputs", "batch", f"give a mapping of {names}")
    return {model.inputs[0].name: np.asarray(batch)}


def targets_of(loss: Loss, targets: ArrayLike) -> NDArray[Any]:
    """Labels, or wanted outputs, in the dtype that the loss takes. Raises InvalidArgument for labels with fractions."""
    if loss != "cross_entropy":
        return np.asarray(targets, np.float32)
    labels = np.asarray(targets)
    require(are_classes(labels), "targets", labels.dtype, "whole numbers, one label for each row")
    return labels.astype(np.int64)


@dataclass(frozen=True)
class QuantizationAwareLayer:
    """A layer of a model that is trained: its weights as they are now, and what rounds them."""

    name: str
    op: str
    weight: Floats
    bias: Floats | None
    weight_bits: int
    activation_bits: int


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
        return self._trained.loss(inputs_of(self._given, batch), targets_of(self.quant_config.loss, targets))

    def train_step(self, batch: Batch, targets: ArrayLike) -> float:
        """The loss of a batch, then one update: forward, loss, backward, Adam."""
        return self._trained.step(inputs_of(self._given, batch), targets_of(self.quant_config.loss, targets))

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
