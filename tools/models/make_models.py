#!/usr/bin/env python3
"""Builds the ONNX models that Skerry's tests and benchmarks use. Seeded, offline, without a training framework.

    make_models.py FOLDER [--only NAME ...] [--int8] [--reference]

Writes FOLDER/NAME.onnx; with --int8 also NAME_qdq.onnx (QuantizeLinear/DequantizeLinear pairs) of the convolutional
ones and NAME_qop.onnx (QLinearConv and kin) of the residual ones; with --reference also NAME.npz beside each: arrays
in_<input> of a batch of two and out_<output>, what ONNX Runtime makes of them with its graph optimisations switched
off. Needs onnx and numpy; scikit-learn for digits_cnn; onnxruntime for --int8 and --reference.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import networks
import numpy as np
import onnx
from digits import digits, digits_cnn
from graph_writer import Array, GraphWriter
from onnx import TensorProto
from transformer import transformer, transformer_tiny

MODELS: dict[str, Callable[[], GraphWriter]] = {
    "autoenc": networks.autoenc,
    "digits_cnn": digits_cnn,
    "dscnn": networks.dscnn,
    "mlp": networks.mlp,
    "mobilenetv2": networks.mobilenetv2,
    "resnet50": networks.resnet50,
    "resnet8": networks.resnet8,
    "rnn": networks.rnn,
    "rnn_tiny": networks.rnn_tiny,
    "transformer": transformer,
    "transformer_tiny": transformer_tiny,
    "vww": networks.vww,
}
IN_QDQ_FORM = ("digits_cnn", "dscnn", "mobilenetv2", "resnet50", "resnet8", "vww")
IN_OPERATOR_FORM = ("resnet50", "resnet8")

EXTENTS = {"N": 2, "S": 128}  # of symbolic axes in reference inputs
VOCABULARY = 1000


def sample_inputs(model: onnx.ModelProto, seed: int) -> dict[str, Array]:
    """Normal noise for floats, tokens for integers; real images for the digits classifier."""
    random = np.random.default_rng(seed)
    inputs: dict[str, Array] = {}
    for info in model.graph.input:
        dims = [EXTENTS.get(dim.dim_param, dim.dim_value) for dim in info.type.tensor_type.shape.dim]
        if info.type.tensor_type.elem_type == TensorProto.INT64:
            inputs[info.name] = random.integers(0, VOCABULARY, dims)
        elif model.graph.name == "digits_cnn":
            inputs[info.name] = digits()[1].images[: dims[0]]
        else:
            inputs[info.name] = random.standard_normal(dims, np.float32)
    return inputs


def run(path: Path, inputs: dict[str, Array]) -> dict[str, Array]:
    """Outputs by name, each node computed as it stands."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def write_reference(path: Path, inputs: dict[str, Array]) -> None:
    arrays = {f"in_{name}": array for name, array in inputs.items()}
    arrays |= {f"out_{name}": array for name, array in run(path, inputs).items()}
    np.savez_compressed(path.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]


def calibration(model: onnx.ModelProto) -> Iterator[dict[str, Array]]:
    if model.graph.name == "digits_cnn":
        images = digits()[0].images[:320]
        yield from ({"x": images[i : i + 32]} for i in range(0, len(images), 32))
        return
    yield from (sample_inputs(model, seed) for seed in range(100, 104))


def quantise(source: Path, target: Path, operator_form: bool) -> None:
    """Static int8: unsigned activations, signed weights per channel, batch normalisation folded first."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    original = onnx.load(source)

    class Reader:  # a CalibrationDataReader by its one method
        def __init__(self) -> None:
            self.batches = calibration(original)

        def get_next(self) -> dict[str, Array] | None:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as scratch:
        folded = Path(scratch) / "folded.onnx"
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(target),
            Reader(),
            quant_format=QuantFormat.QOperator if operator_form else QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    quantised = onnx.load(target)
    quantised.graph.name = original.graph.name
    onnx.save(quantised, target)


def write_model(name: str, folder: Path, int8: bool) -> list[Path]:
    path = folder / f"{name}.onnx"
    onnx.save(MODELS[name]().model(), path)
    paths = [path]
    for suffix, names in (("qdq", IN_QDQ_FORM), ("qop", IN_OPERATOR_FORM)):
        if int8 and name in names:
            paths.append(folder / f"{name}_{suffix}.onnx")
            quantise(path, paths[-1], operator_form=suffix == "qop")
    return paths


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(MODELS), default=sorted(MODELS), metavar="NAME")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--reference", action="store_true")
    return parser.parse_args()


def main() -> None:
    wanted = arguments()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    for name in wanted.only:
        for path in write_model(name, wanted.folder, wanted.int8):
            if wanted.reference:
                write_reference(path, sample_inputs(onnx.load(path), seed=1))
            print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
