#!/usr/bin/env python3
"""Writes tests/data/models/types.txt: what onnx.shape_inference says about every value of the models in tests/.

One line per value: model, name, dtype number of onnx, extents (`?` for one that is unknown). Skerry's own inference
must know at least as much. Run it again when a model there changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import shape_inference

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "tests/data/models", ROOT / "tests/fuzz/corpus/onnx")
# Refused on purpose, or by onnx's inference, which fails on a call with fewer outputs than its function has.
PASSED_OVER = ("bad_", "ok_function", "ok_unordered")
GOLDEN = ROOT / "tests/data/models/types.txt"


def extent(dim: onnx.TensorShapeProto.Dimension) -> str:
    if dim.HasField("dim_value"):
        return str(dim.dim_value)
    # Symbols that inference makes up for unknown extents tell nothing.
    return dim.dim_param if dim.dim_param and not dim.dim_param.startswith("unk__") else "?"


def lines(path: Path) -> Iterator[str]:
    graph = shape_inference.infer_shapes(onnx.load(path, load_external_data=False), data_prop=True).graph
    # A quantiser leaves types of values behind that no node makes any more.
    made = {name for node in graph.node for name in node.output}
    for value in sorted([*graph.value_info, *graph.output], key=lambda each: str(each.name)):
        tensor = value.type.tensor_type
        if value.name in made and tensor.elem_type and tensor.HasField("shape"):
            yield f"{path.stem} {value.name} {tensor.elem_type} {','.join(map(extent, tensor.shape.dim)) or '-'}"


def main() -> None:
    paths = [
        path for folder in FOLDERS for path in sorted(folder.glob("*.onnx")) if not path.stem.startswith(PASSED_OVER)
    ]
    rows = [line for path in paths for line in lines(path)]
    GOLDEN.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(rows)} values in {GOLDEN}")


if __name__ == "__main__":
    main()
