#!/usr/bin/env python3
"""Neural networks beside ONNX Runtime and OpenVINO: latency by turns in one process, answers compared first.

    neural.py [--models FOLDER] [--only NAME,...] [--threads 1,2] [--batch N] [--seconds S] [--json FILE]

The peers live in build/neural-venv, made by the first run from bench/neural_peers.txt; SKERRY_NEURAL_VENV names another
environment that has them. A model and a number of threads is one process: every runtime gets the same input, its answer
must agree with ONNX Runtime's before anything is timed, and then they take turns in rounds of short bursts. A row tells
the median of a runtime's runs in ms, its spread (a quarter of the runs are above), its ratio to the best peer's median,
and which share of the FLOP/s of the best dense product, measured between the rounds by ONNX Runtime, the run reached.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

VENV = Path(os.environ.get("SKERRY_NEURAL_VENV", machine.REPOSITORY / "build" / "neural-venv"))
ROUNDS = 5
# ONNX Runtime's threads keep spinning for a while after a run; the next one to be timed waits them out.
PAUSE_SECONDS = 0.02
PRODUCT = 1024
# Sums in another order; a quantised result may be a step off where a runtime adds in float.
ALLOWED = {"float": 1e-3, "quantised": 2e-2}

Run = Callable[[], list[Any]]
Record = dict[str, Any]


def sample(path: Path, batch: int) -> dict[str, Any]:
    """Normal noise for floats, small tokens for integers."""
    import numpy as np
    import onnx

    random = np.random.default_rng(0)
    inputs = {}
    for value in onnx.load(path, load_external_data=False).graph.input:
        shape = value.type.tensor_type.shape.dim
        dims = [dim.dim_value or (128 if dim.dim_param == "S" else batch) for dim in shape]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        integers = dtype.kind == "i"
        inputs[value.name] = (random.integers(0, 100, dims) if integers else random.standard_normal(dims)).astype(dtype)
    return inputs


def flops(path: Path, inputs: dict[str, Any]) -> float:
    """Two operations for each multiply-add of convolutions and products, whatever they are computed by."""
    import onnx
    from onnx import numpy_helper, shape_inference

    model = onnx.load(path)
    for value in model.graph.input:
        for dim, extent in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape, strict=True):
            dim.dim_value = extent
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {t.name: list(numpy_helper.to_array(t).shape) for t in graph.initializer}
    for value in [*graph.value_info, *graph.output, *graph.input]:
        shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    total = 0.0
    for node in graph.node:
        out = math.prod(shapes.get(node.output[0], [0]))
        if node.op_type == "Conv":
            total += 2.0 * out * math.prod(shapes[node.input[1]][1:])
        if node.op_type in ("MatMul", "Gemm"):
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            total += 2.0 * out * shapes.get(node.input[0], [0])[-2 if transposed else -1]
    return total


def skerry_run(path: Path, inputs: dict[str, Any], threads: int) -> Run:
    import skerry

    model = skerry.load(str(path))
    assert isinstance(model, skerry.Model)
    session = model.session(threads=threads)
    return lambda: list(session.run(inputs).values())


def onnxruntime_run(path: Path, inputs: dict[str, Any], threads: int) -> Run:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: list(session.run(None, inputs))


def openvino_run(path: Path, inputs: dict[str, Any], threads: int) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: [request.infer(inputs)[output] for output in request.model_outputs]


RUNTIMES = {"skerry": skerry_run, "onnxruntime": onnxruntime_run, "openvino": openvino_run}


def disagreement(found: list[Any], wanted: list[Any]) -> float:
    import numpy as np

    return max(
        float(np.abs(a - b).max() / max(1e-6, float(np.abs(b).max()))) for a, b in zip(found, wanted, strict=True)
    )


def burst(run: Run, seconds: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return times


def product_run(threads: int, folder: Path) -> Run:
    """One product of square matrices by ONNX Runtime, which uses all that the CPU has (NumPy's library may not)."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    a = np.ones((PRODUCT, PRODUCT), np.float32)
    types = [helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "product", types[:1], types[1:], [numpy_helper.from_array(a, "w")])
    opset = helper.make_opsetid("", 13)
    path = folder / "product.onnx"
    save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return onnxruntime_run(path, {"x": a}, threads)


def work(path: Path, threads: int, batch: int, seconds: float) -> Record:
    """Everything about one model, in this process."""
    inputs = sample(path, batch)
    runs, refused = {}, {}
    for name, make in RUNTIMES.items():
        try:
            runs[name] = make(path, inputs, threads)
            runs[name]()
        except Exception as error:
            runs.pop(name, None)
            refused[name] = str(error).strip().splitlines()[-1][:200]
    wanted = runs["onnxruntime"]()
    limit = ALLOWED["quantised" if "_qdq" in path.stem or "_qop" in path.stem else "float"]
    off = {name: disagreement(run(), wanted) for name, run in runs.items()}
    for name in [name for name, error in off.items() if error > limit]:
        runs.pop(name)
        refused[name] = f"answers differ by {off[name]:.1e}"
    times: dict[str, list[float]] = {name: [] for name in runs}
    rates: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        product = product_run(threads, Path(folder))
    for _ in range(ROUNDS):
        rates.append(2.0 * PRODUCT**3 / min(burst(product, 0.1)))
        for name, run in runs.items():
            time.sleep(PAUSE_SECONDS)
            run()
            times[name] += burst(run, seconds / ROUNDS)
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min((value for name, value in medians.items() if name != "skerry"), default=math.nan)
    operations = flops(path, inputs)
    rows = {
        name: {
            "median_ms": medians[name] * 1e3,
            "least_ms": min(values) * 1e3,
            "quartile_ms": sorted(values)[len(values) * 3 // 4] * 1e3,
            "of_best_peer": medians[name] / best,
            "of_product": operations / medians[name] / max(rates),
            "disagreement": off[name],
        }
        for name, values in times.items()
    }
    return {
        "model": path.stem,
        "threads": threads,
        "batch": batch,
        "flops": operations,
        "product_flops": max(rates),
        "runtimes": rows,
        "refused": refused,
    }


def show(record: Record) -> None:
    for name, row in record["runtimes"].items():
        print(
            f"{record['model']:16} {record['threads']:2} {name:12} {row['median_ms']:9.3f} ms "
            f"(least {row['least_ms']:.3f}, quartile {row['quartile_ms']:.3f})  {row['of_best_peer']:5.2f}x "
            f"{100 * row['of_product']:4.0f} %"
        )
    for name, why in record["refused"].items():
        print(f"{record['model']:16} {record['threads']:2} {name:12} left out: {why}")
    sys.stdout.flush()


def python_with_peers() -> Path:
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-r", machine.REPOSITORY / "bench/neural_peers.txt"], check=True
        )
    return python


def measured(path: Path, threads: int, options: argparse.Namespace) -> Record:
    """work() in a process whose libraries all keep to that many threads."""
    numbers = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SKERRY_NUM_THREADS")}
    command = [python_with_peers(), __file__, "--worker", path, "--threads", str(threads)]
    command += ["--batch", str(options.batch), "--seconds", str(options.seconds)]
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **numbers, "PYTHONPATH": str(machine.BUILD / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{path.stem}: {done.stderr.strip()[-500:]}")
    record: Record = json.loads(done.stdout.splitlines()[-1])
    return record


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=machine.REPOSITORY / "build" / "models")
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each runtime's runs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, int(options.threads), options.batch, options.seconds)))
        return 0
    if not options.models.exists():
        tools = machine.REPOSITORY / "tools" / "models"
        subprocess.run([sys.executable, tools / "make_models.py", options.models, "--int8"], check=True)
    wanted = {name for name in options.only.split(",") if name}
    print(machine.describe())
    records = []
    for threads in [int(number) for number in options.threads.split(",")]:
        for path in sorted(options.models.glob("*.onnx")):
            if wanted and path.stem not in wanted:
                continue
            records.append(measured(path, threads, options))
            show(records[-1])
    ratios = [record["runtimes"]["skerry"]["of_best_peer"] for record in records if "skerry" in record["runtimes"]]
    if ratios:
        print(f"geometric mean of the ratios to the best peer: {statistics.geometric_mean(ratios):.2f}")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine.describe(), "records": records}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
