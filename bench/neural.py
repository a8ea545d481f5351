#!/usr/bin/env python3
"""Neural networks beside ONNX Runtime, OpenVINO and LiteRT: latency by turns, answers compared first.

    neural.py [--models FOLDER] [--only NAME,...] [--threads 1,2] [--batch 1,8,32] [--seconds S] [--json FILE]
    neural.py --table FILE.json ...
    neural.py --profiled [--models FOLDER] [--only NAME,...] [--threads 1,2] [--seconds S]

The peers live in build/neural-venv, made by the first run from bench/neural_peers.txt; SKERRY_NEURAL_VENV names another
environment that has them. LiteRT is asked where .venv-tensorflow (`./dev test tensorflow`; SKERRY_TENSORFLOW_VENV names
another) exists, by a process beside that computes only when it is its turn. A model, a batch and a number of threads is
one process: every runtime gets the same input, its answer must agree with ONNX Runtime's before anything is timed, and
then they take turns in rounds of short bursts. A row tells the median of a runtime's runs in ms, its spread (a quarter
of the runs are above), its ratio to the best peer's median, and which share of the FLOP/s of the best dense product,
measured between the rounds by ONNX Runtime, the run reached. At the end the rows are held against what must be; --table
does that for the files of earlier runs together. --profiled runs Skerry alone, by turns with and without a profiler's
session, and tells what the session costs.
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
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import machine

VENV = Path(os.environ.get("SKERRY_NEURAL_VENV", machine.REPOSITORY / "build" / "neural-venv"))
LITERT = Path(os.environ.get("SKERRY_TENSORFLOW_VENV", machine.REPOSITORY / ".venv-tensorflow")) / "bin" / "python"
ROUNDS = 5
# ONNX Runtime's threads keep spinning for a while after a run; the next one to be timed waits them out.
PAUSE_SECONDS = 0.02
PRODUCT = 1024
# Sums in another order; a quantised result may be a step off where a runtime adds in float.
ALLOWED = {"float": 1e-3, "quantised": 2e-2}

# A call as it is timed, and how its result becomes a list of arrays.
Call = Callable[[], Any]
Run = tuple[Call, Callable[[Any], list[Any]]]
Record = dict[str, Any]


@dataclass(frozen=True)
class Must:
    """A row of what must be: ratios of medians to the best peer's, over models and batches."""

    what: str
    models: tuple[str, ...]
    batches: tuple[int, ...]
    each: float
    mean: float


LARGE = ("mobilenetv2", "resnet50", "transformer", "minilm")
SMALL = ("mlp", "dscnn", "vww", "resnet8", "autoenc", "digits_cnn")
INTEGER = ("mobilenetv2_qdq", "resnet50_qdq", "minilm_int8")
SMALL_INTEGER = ("dscnn_qdq", "vww_qdq", "resnet8_qdq", "digits_cnn_qdq")
MODELS = (*LARGE, *SMALL, "rnn", *INTEGER, *SMALL_INTEGER)
MUSTS = (
    Must("large, batch 1", LARGE, (1,), 1.05, 1.0),
    Must("small, batch 1", SMALL, (1,), 1.1, 0.9),
    Must("float, batch 8 and 32", LARGE + SMALL, (8, 32), math.inf, 1.0),
    Must("8-bit integers, batch 1", INTEGER, (1,), 1.1, 1.1),
    Must("small 8-bit integers, batch 1", SMALL_INTEGER, (1,), 1.1, 1.1),
    Must("LSTM and GRU", ("rnn",), (1,), 0.8, 0.8),
)
SPEEDUP_MODELS, SPEEDUP = ("resnet50", "minilm"), 1.85


def sample(path: Path, batch: int) -> dict[str, Any]:
    """Normal noise for floats; of integers, small tokens of one kind that a mask keeps."""
    import numpy as np
    import onnx

    random = np.random.default_rng(0)
    inputs = {}
    for value in onnx.load(path, load_external_data=False).graph.input:
        shape = value.type.tensor_type.shape.dim
        dims = [dim.dim_value or (128 if dim.dim_param == "S" else batch) for dim in shape]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if "mask" in value.name or "type" in value.name:
            array = np.full(dims, int("mask" in value.name))
        else:
            array = random.integers(0, 100, dims) if dtype.kind == "i" else random.standard_normal(dims)
        inputs[value.name] = array.astype(dtype)
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
    return partial(session.run, inputs), lambda result: list(result.values())


def onnxruntime_run(path: Path, inputs: dict[str, Any], threads: int) -> Run:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, inputs), list


def openvino_run(path: Path, inputs: dict[str, Any], threads: int) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return partial(request.infer, inputs), lambda result: [result[output] for output in request.model_outputs]


RUNTIMES = {"skerry": skerry_run, "onnxruntime": onnxruntime_run, "openvino": openvino_run}


class LiteRt:
    """bench/neural_litert.py with one model in it."""

    OPERATORS = frozenset(
        {
            *("Add", "AveragePool", "BatchNormalization", "Clip", "Conv", "Flatten", "Gemm", "GlobalAveragePool"),
            *("MaxPool", "Relu", "Softmax"),
        }
    )

    def __init__(self, path: Path, inputs: dict[str, Any], threads: int, folder: Path) -> None:
        import numpy as np
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(path).graph
        strange = sorted({node.op_type for node in graph.node} - self.OPERATORS)
        if strange:
            raise RuntimeError(f"nothing writes {', '.join(strange)} for it")
        nodes = [
            {
                "op": node.op_type,
                "inputs": list(node.input),
                "outputs": list(node.output),
                "attributes": {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
            }
            for node in graph.node
        ]
        (x,) = inputs.values()
        text = json.dumps({"nodes": nodes, "input": graph.input[0].name, "output": graph.output[0].name}, default=str)
        (folder / "graph.json").write_text(text)
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        np.savez(folder / "weights.npz", __input__=x, **arrays)
        script = Path(__file__).with_name("neural_litert.py")
        command = [LITERT, script, folder / "graph.json", folder / "weights.npz", str(threads)]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        if self.line() != "ready":
            assert self.process.stderr is not None
            raise RuntimeError(self.process.stderr.read().strip() or "no answer")

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, words: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return json.loads(self.line())

    def burst(self, seconds: float) -> list[float]:
        times: list[float] = self.ask(f"burst {seconds}")
        return times

    def answer(self) -> list[Any]:
        import numpy as np

        return [np.array(self.ask("answer"), np.float32)]

    def __enter__(self) -> LiteRt:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def disagreement(found: list[Any], wanted: list[Any]) -> float:
    import numpy as np

    return max(
        float(np.abs(a - b).max() / max(1e-6, float(np.abs(b).max()))) for a, b in zip(found, wanted, strict=True)
    )


def answer(call: Call, listed: Callable[[Any], list[Any]]) -> list[Any]:
    return listed(call())


def burst(run: Call, seconds: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return times


def product_run(threads: int, folder: Path) -> Call:
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
    return onnxruntime_run(path, {"x": a}, threads)[0]


def work(path: Path, threads: int, batch: int, seconds: float) -> Record:
    """Everything about one model, in this process and LiteRT's."""
    inputs = sample(path, batch)
    answers: dict[str, Callable[[], list[Any]]] = {}
    bursts: dict[str, Callable[[float], list[float]]] = {}
    refused: dict[str, str] = {}
    for name, make in RUNTIMES.items():
        try:
            call, listed = make(path, inputs, threads)
            call()
            answers[name], bursts[name] = partial(answer, call, listed), partial(burst, call)
        except Exception as error:
            refused[name] = str(error).strip().splitlines()[-1][:200]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        product = product_run(threads, folder)
        if LITERT.exists():
            try:
                litert = stack.enter_context(LiteRt(path, inputs, threads, folder))
                answers["litert"], bursts["litert"] = litert.answer, litert.burst
            except Exception as error:
                refused["litert"] = str(error).strip().splitlines()[-1][:200]
        wanted = answers["onnxruntime"]()
        limit = ALLOWED["quantised" if path.stem.endswith(("_qdq", "_qop", "_int8")) else "float"]
        off = {name: disagreement(ask(), wanted) for name, ask in answers.items()}
        for name in [name for name, error in off.items() if error > limit]:
            bursts.pop(name)
            refused[name] = f"answers differ by {off[name]:.1e}"
        times: dict[str, list[float]] = {name: [] for name in bursts}
        rates: list[float] = []
        for _ in range(ROUNDS):
            rates.append(2.0 * PRODUCT**3 / min(burst(product, 0.05)))
            for name, run_for in bursts.items():
                time.sleep(PAUSE_SECONDS)
                run_for(0)
                times[name] += run_for(seconds / ROUNDS)
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


def profiler_cost(path: Path, threads: int, seconds: float) -> str:
    """Of two runs one is recorded; medians of what is not disturbed tell less than a tenth of a per cent apart."""
    from skerry.profiling import Profiler

    run, _ = skerry_run(path, sample(path, 1), threads)
    profiler = Profiler()
    plain: list[float] = []
    recorded: list[float] = []
    rounds = 200
    for _ in range(rounds):
        plain += burst(run, seconds / rounds / 2)
        with profiler.session("on"):
            run()
            recorded += burst(run, seconds / rounds / 2)
    off, on = statistics.median(plain), statistics.median(recorded)
    return f"{path.stem:16} {threads:2} {off * 1e6:9.2f} us, recorded {on * 1e6:9.2f} us: {100 * (on / off - 1):+.1f} %"


def show(record: Record) -> None:
    head = f"{record['model']:16} {record['batch']:3} {record['threads']:2}"
    for name, row in record["runtimes"].items():
        print(
            f"{head} {name:12} {row['median_ms']:9.3f} ms "
            f"(least {row['least_ms']:.3f}, quartile {row['quartile_ms']:.3f})  {row['of_best_peer']:5.2f}x "
            f"{100 * row['of_product']:4.0f} %"
        )
    for name, why in record["refused"].items():
        print(f"{head} {name:12} left out: {why}")
    sys.stdout.flush()


def verdicts(records: list[Record]) -> Iterator[str]:
    """A line for each row of what must be and each number of threads that was measured."""
    for threads in sorted({record["threads"] for record in records}):
        for must in MUSTS:
            ratios = {
                f"{record['model']} x {record['batch']}": record["runtimes"]["skerry"]["of_best_peer"]
                for record in records
                if record["threads"] == threads and record["model"] in must.models and record["batch"] in must.batches
                if "skerry" in record["runtimes"]
            }
            if not ratios:
                continue
            mean, worst = statistics.geometric_mean(ratios.values()), max(ratios, key=lambda name: ratios[name])
            kept = mean <= must.mean and ratios[worst] <= must.each
            each = f", each <= {must.each:.2f}" if math.isfinite(must.each) else ""
            yield (
                f"{must.what:30} {threads} thread{'s' if threads > 1 else ' '} mean {mean:.2f}, "
                f"worst {ratios[worst]:.2f} ({worst}) of {len(ratios)}; "
                f"must: mean <= {must.mean:.2f}{each}: {'kept' if kept else 'MISSED'}"
            )
    medians = {
        (record["model"], record["threads"]): record["runtimes"]["skerry"]["median_ms"]
        for record in records
        if record["batch"] == 1 and "skerry" in record["runtimes"]
    }
    for model in SPEEDUP_MODELS:
        if (model, 1) in medians and (model, 2) in medians:
            factor = medians[model, 1] / medians[model, 2]
            yield (
                f"{'two threads against one':30} {model} {factor:.2f}x; must: >= {SPEEDUP}: "
                f"{'kept' if factor >= SPEEDUP else 'MISSED'}"
            )


def python_with_peers() -> Path:
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-r", machine.REPOSITORY / "bench/neural_peers.txt"], check=True
        )
    return python


def measured(path: Path, threads: int, batch: int, options: argparse.Namespace) -> Record:
    """work() in a process whose libraries all keep to that many threads."""
    numbers = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SKERRY_NUM_THREADS")}
    command = [python_with_peers(), __file__, "--worker", path, "--threads", str(threads)]
    command += ["--batch", str(batch), "--seconds", str(options.seconds)]
    command += ["--profiled"] if options.profiled else []
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **numbers, "PYTHONPATH": str(machine.BUILD / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{path.stem}: {done.stderr.strip()[-500:]}")
    record: Record = {"text": done.stdout.strip()} if options.profiled else json.loads(done.stdout.splitlines()[-1])
    return record


def make_models(folder: Path) -> None:
    """What is not there yet. The sentence encoder with drawn weights: nothing has to be fetched."""
    tools = machine.REPOSITORY / "tools" / "models"
    if not (folder / "resnet50_qdq.onnx").exists():
        subprocess.run([sys.executable, tools / "make_models.py", folder, "--int8"], check=True)
    if not (folder / "minilm_int8.onnx").exists():
        encoder = tools / "export_minilm.py"
        subprocess.run([sys.executable, encoder, folder / "minilm.onnx", "--random", "--int8"], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=machine.REPOSITORY / "build" / "models")
    parser.add_argument("--only", default=",".join(MODELS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", default="1")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each runtime's runs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path, nargs="+", help="files that --json wrote")
    parser.add_argument("--profiled", action="store_true", help="what a profiler's session costs")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker and options.profiled:
        print(profiler_cost(options.worker, int(options.threads), options.seconds))
        return 0
    if options.worker:
        print(json.dumps(work(options.worker, int(options.threads), int(options.batch), options.seconds)))
        return 0
    records: list[Record] = []
    if options.table:
        for file in options.table:
            records += json.loads(file.read_text())["records"]
    else:
        make_models(options.models)
        print(machine.describe())
        cells = [
            (batch, threads, name)
            for batch in map(int, options.batch.split(","))
            for threads in map(int, options.threads.split(","))
            for name in options.only.split(",")
        ]
        for batch, threads, name in cells:
            record = measured(options.models / f"{name}.onnx", threads, batch, options)
            if options.profiled:
                print(record["text"], flush=True)
                continue
            records.append(record)
            show(record)
            if options.json:  # after each model: what was measured is kept if the run is cut short
                options.json.write_text(json.dumps({"machine": machine.describe(), "records": records}, indent=1))
    for line in verdicts(records):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
