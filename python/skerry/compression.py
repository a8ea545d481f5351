"""Smaller models from trained ones: quantising and pruning after training, and ONNX files for other runtimes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry import _core
from skerry._core import Model
from skerry.errors import InvalidArgument
from skerry.files import PathLike, load

Kind = Literal["int8", "int8-weights", "int4-weights"]
Calibration = Literal["min-max", "percentile", "entropy", "mse"]
Arrays = Mapping[str, ArrayLike]
Data = PathLike | Arrays | Iterable[Arrays]

# Samples that run at once where the model does not say how many, or as many as have so many bytes: what runs see of
# large images takes a hundred times as much.
_ROWS, _ROW_BYTES = 64, 1 << 20


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer of the result: dtype of its weights, and their bytes with scales."""

    node: str
    op: str
    weights: str
    bytes_before: int
    bytes: int


@dataclass(frozen=True)
class Quantized:
    """The model and what it cost.

    score: the share of rows whose largest output is at the label, else where the given model has it (NaN without
    samples). snr_db: the power of the output over that of its error.
    """

    model: Model
    layers: list[QuantizedLayer]
    weight_bytes_before: int
    weight_bytes: int
    score_before: float
    score: float
    snr_db: float


@dataclass(frozen=True)
class PrunedLayer:
    """A layer of the result: weights that are not zero, or outputs, of how many."""

    node: str
    op: str
    before: int
    left: int


@dataclass(frozen=True)
class Pruned:
    """The model and what left it."""

    model: Model
    layers: list[PrunedLayer]
    weight_bytes_before: int
    weight_bytes: int


@dataclass(frozen=True)
class Agreement:
    """How far the answers of one model are those of another; as in Quantized."""

    score_before: float
    score: float
    snr_db: float


def _model(model: Model | PathLike) -> Model:
    if isinstance(model, Model):
        return model
    loaded = load(model)
    if not isinstance(loaded, Model):
        raise InvalidArgument("this is a circuit, not a model", os.fspath(model))
    return loaded


def _arrays(data: PathLike) -> dict[str, NDArray[Any]]:
    with np.load(Path(data)) as file:
        return dict(file)


def _runs(model: Model, data: Data | None) -> tuple[list[dict[str, Any]], NDArray[Any] | None]:
    """Inputs of each run, and the labels that came with them."""
    if data is None:
        return [], None
    if isinstance(data, str | os.PathLike):
        data = _arrays(data)
    if not isinstance(data, Mapping):
        return [dict(one) for one in data], None
    arrays = {name: np.asarray(array) for name, array in data.items()}
    labels = arrays.pop("labels", None)
    arrays = {info.name: arrays[info.name] for info in model.inputs if info.name in arrays}
    counts = {len(array) for array in arrays.values() if array.ndim}
    if len(counts) != 1 or len(arrays) != len(model.inputs):
        names = ", ".join(info.name for info in model.inputs)
        raise InvalidArgument(
            "the arrays do not fit the model", "data", f"give equally many samples for each of {names}"
        )
    fixed = [info.shape[0] for info in model.inputs if info.shape and isinstance(info.shape[0], int)]
    total = counts.pop()
    each = sum(array.nbytes for array in arrays.values()) // max(total, 1)
    step = fixed[0] if fixed else min(max(_ROW_BYTES // max(each, 1), 1), _ROWS)
    ends = range(step, total + 1, step) if fixed else range(step, total + step, step)
    runs = [{name: array[end - step : end] for name, array in arrays.items()} for end in ends]
    return runs, None if labels is None else labels[: sum(len(next(iter(run.values()))) for run in runs)]


def are_classes(labels: NDArray[Any]) -> bool:
    """Whether every label is a whole number, in whatever dtype."""
    return labels.dtype.kind in "biu" or (
        labels.dtype.kind == "f" and bool(np.all(np.isfinite(labels) & (np.trunc(labels) == labels)))
    )


def _labels(runs: list[dict[str, Any]], labels: ArrayLike | None) -> list[Any]:
    """Labels of all rows, cut as the runs are."""
    if labels is None:
        return []
    given = np.asarray(labels)
    if not are_classes(given):
        what = f"labels of dtype {given.dtype} are no whole numbers"
        raise InvalidArgument(what, "labels", "give the number of a class for each row")
    flat = given.astype(np.int64).reshape(-1)
    sizes = [len(next(iter(run.values()))) for run in runs]
    if sum(sizes) > 0 and flat.size % sum(sizes):
        raise InvalidArgument(f"{flat.size} labels for {sum(sizes)} samples", "labels", "give one for each row")
    each = flat.size // max(sum(sizes), 1)
    return np.split(flat, np.cumsum(np.asarray(sizes) * each)[:-1])


def quantize(
    model: Model | PathLike,
    data: Data | None = None,
    *,
    kind: Kind = "int8",
    calibration: Calibration = "min-max",
    percentile: float = 99.99,
    per_channel: bool = True,
    block: int = 32,
    keep: Sequence[str] = (),
    max_loss: float | None = None,
    judge: Data | None = None,
    labels: ArrayLike | None = None,
    threads: int = 0,
) -> Quantized:
    """A model in small integers, as a graph that any ONNX runtime reads (`save_onnx`).

    kind: `int8` for u8 activations and i8 weights in integer kernels, else weights alone. data: what ranges are seen
    on: an .npz, arrays by input name with samples along the first axis, or an iterable of inputs of runs. judge: what
    score and error are measured on, data without it; labels: of its rows, else `labels` of its arrays, else what the
    given model answers. keep: layers that stay. max_loss: the share of right answers that may be lost; the layers that
    hurt most stay wider until it holds.

    >>> import numpy, skerry
    >>> g = skerry.GraphBuilder()
    >>> x, w = g.input("x", ["N", 64]), g.constant(numpy.eye(64, 10, dtype=numpy.float32))
    >>> g.output(g.add("MatMul", [x, w]), "y")
    >>> made = skerry.quantize(g.build(), kind="int4-weights")
    >>> made.layers[0].weights, made.layers[0].bytes_before, made.layers[0].bytes
    ('i4', 2560, 400)

    Raises InvalidArgument (options, samples that are missing), Unsupported (nothing to quantise).
    """
    given = _model(model)
    seen, own = _runs(given, data)
    tried, other = (seen, own) if judge is None else _runs(given, judge)
    made, layers, before, after, score_before, score, snr = _core.quantize_model(
        given,
        seen,
        tried,
        _labels(tried, other if labels is None else labels),
        kind,
        calibration,
        percentile,
        per_channel,
        block,
        list(keep),
        max_loss,
        threads,
    )
    return Quantized(made, [QuantizedLayer(*layer) for layer in layers], before, after, score_before, score, snr)


def prune(
    model: Model | PathLike,
    ratio: float = 0.5,
    *,
    structured: bool = False,
    whole: bool = True,
    multiple: int = 1,
    keep: Sequence[str] = (),
    importance_threshold: float | None = None,
) -> Pruned:
    """The model without what matters least by magnitude.

    Single weights become zero: `ratio` of all (whole) or of each layer. structured: whole channels leave, `ratio` of
    each layer's, wherever they are used: residuals and depthwise convolutions are followed. multiple: of which the
    channels that are left are a multiple, as kernels like it. keep: layers that stay. importance_threshold: instead of
    `ratio`, and structured alone, channels leave whose squared magnitude is below this share of the mean of those they
    hang together with.

    >>> import numpy, skerry
    >>> g = skerry.GraphBuilder()
    >>> x = g.input("x", ["N", 4])
    >>> w = g.constant(numpy.arange(1, 9, dtype=numpy.float32).reshape(4, 2))
    >>> g.output(g.add("MatMul", [x, w]), "y")
    >>> pruned = skerry.prune(g.build(), 0.25)
    >>> x = numpy.ones((1, 4), numpy.float32)
    >>> pruned.layers[0].left, pruned.model.session().run({"x": x})["y"].tolist()
    (6, [[15.0, 18.0]])

    Raises InvalidArgument, Unsupported (nothing to prune).
    """
    made, layers, before, after = _core.prune_model(
        _model(model), ratio, structured, whole, multiple, list(keep), importance_threshold
    )
    return Pruned(made, [PrunedLayer(*layer) for layer in layers], before, after)


def compare(
    before: Model | PathLike,
    after: Model | PathLike,
    judge: Data,
    *,
    labels: ArrayLike | None = None,
    threads: int = 0,
) -> Agreement:
    """How far the answers of `after` are right, beside those of `before`; judge and labels are those of quantize()."""
    first = _model(before)
    runs, own = _runs(first, judge)
    told = _labels(runs, own if labels is None else labels)
    return Agreement(*_core.compare_models(first, _model(after), runs, told, threads))


def save_onnx(model: Model, path: PathLike) -> None:
    """Writes the model as an ONNX file (opset 21 or newer) for other runtimes.

    Raises Unsupported for subgraphs, circuits, and models that were compiled.
    """
    Path(path).write_bytes(_core.to_onnx(model))
