#!/usr/bin/env python3
"""Kernels against what the machine can do: products beside OpenBLAS, element-wise functions beside a copy of memory.

    kernels.py [--threads 1,2] [--json FILE]

limits.cpp, compiled for this CPU, says how many multiply-adds its registers can do and how fast memory is. Then:

- a product of 1024 x 1024 matrices here and by NumPy's OpenBLAS, in turn, on as many threads (must: 70 % of its speed);
- Relu, Sigmoid, Gelu, Add and a chain of four functions over 64 MB, bytes a second of the step (must: Relu at 80 % of a
  copy's).

OpenBLAS keeps the number of threads it had when it was loaded, so each number of threads is a process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

SIDE = 1024
FLOATS = 16 << 20
ROUNDS = 7
MUST_OF_OPENBLAS, MUST_OF_COPY = 0.7, 0.8

Row = dict[str, Any]


def limits(threads: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "limits"
        source = Path(__file__).with_name("limits.cpp")
        flags = ["-std=c++20", "-O3", "-ffp-contract=fast", "-march=native", "-pthread"]
        subprocess.run(["g++", *flags, source, "-o", program], check=True)
        found: dict[str, float] = machine.run([program, str(threads)]).json()
        return found


def session(nodes: list[Any], inputs: dict[str, Any], weights: dict[str, Any], threads: int) -> Any:
    """A session of a graph whose last node gives y."""
    import skerry
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "kernels",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name, x in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(x, name) for name, x in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = skerry.loads(proto.SerializeToString(), "kernels")
    assert isinstance(model, skerry.Model)
    return model.session(threads=threads)


def product_row(threads: int, peak: float) -> Row:
    import numpy as np
    from onnx import helper

    random = np.random.default_rng(0)
    a, b = (random.standard_normal((SIDE, SIDE), np.float32) for _ in range(2))
    ours = session([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": a}, {"b": b}, threads)
    assert np.allclose(ours.run({"a": a})["y"], a @ b, atol=1e-2)
    out = np.empty_like(a)
    times: dict[str, list[float]] = {"ours": [], "openblas": []}
    for _ in range(ROUNDS):
        for name, call in (("ours", lambda: ours.run({"a": a})), ("openblas", lambda: np.matmul(a, b, out=out))):
            call()
            for _ in range(3):
                begin = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - begin)
    rate = {name: 2.0 * SIDE**3 / statistics.median(values) for name, values in times.items()}
    return {
        "what": f"product {SIDE}^3",
        "rate": rate["ours"],
        "unit": "FLOP/s",
        "of_limit": rate["ours"] / peak,
        "of_peer": rate["ours"] / rate["openblas"],
        "must": MUST_OF_OPENBLAS,
    }


def step_seconds(running: Any, inputs: dict[str, Any], op: str) -> float:
    """Seconds of the step of that operator."""
    found: list[float] = [step.seconds for step in running.profile(inputs, runs=ROUNDS) if step.op == op]
    return found[0]


def stream_rows(threads: int, copy: float) -> list[Row]:
    """A first step makes the operands, so that inputs and results stand in memory that has been touched."""
    import numpy as np
    from onnx import helper

    x = np.random.default_rng(0).standard_normal(FLOATS, np.float32)
    node = helper.make_node
    last = node("ReduceMax", ["r"], ["y"], keepdims=0)
    chain = [
        node("Sigmoid", ["h"], ["s"]),
        node("Mul", ["h", "s"], ["m"]),
        node("Add", ["m", "h"], ["t"]),
        node("Abs", ["t"], ["r"]),
    ]
    cases = {
        "Relu": ([node("Relu", ["h"], ["r"])], 2, MUST_OF_COPY),
        "Sigmoid": ([node("Sigmoid", ["h"], ["r"])], 2, None),
        "Gelu": ([node("Gelu", ["h"], ["r"])], 2, None),
        "Add": ([node("Add", ["h", "x"], ["r"])], 3, None),
        "skerry.Elementwise": (chain, 2, None),
    }
    rows = []
    for op, (nodes, passes, must) in cases.items():
        # Concat keeps what is before it and behind it apart.
        first = node("Concat", ["x", "e"], ["h"], axis=0)
        running = session([first, *nodes, last], {"x": x}, {"e": np.zeros(0, np.float32)}, threads)
        rate = passes * x.nbytes / step_seconds(running, {"x": x}, op)
        rows.append(
            {"what": op, "rate": rate, "unit": "B/s", "of_limit": rate / copy, "of_peer": rate / copy, "must": must}
        )
    return rows


def measured(threads: int) -> list[Row]:
    most = limits(threads)
    return [product_row(threads, most["fma"]), *stream_rows(threads, most["copy"])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measured(int(options.threads))))
        return 0
    print(machine.describe())
    report: dict[str, list[Row]] = {}
    for threads in options.threads.split(","):
        numbers = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SKERRY_NUM_THREADS"), threads)
        command = [sys.executable, __file__, "--worker", "--threads", threads]
        path = {"PYTHONPATH": str(machine.BUILD / "python")}
        done = subprocess.run(
            command, env={**os.environ, **numbers, **path}, capture_output=True, text=True, check=True
        )
        report[threads] = json.loads(done.stdout.splitlines()[-1])
        for row in report[threads]:
            peer = "OpenBLAS" if row["unit"] == "FLOP/s" else "a copy"
            must = ""
            if row["must"]:
                kept = row["of_peer"] >= row["must"]
                must = f"; must: {100 * row['must']:.0f} %: {'kept' if kept else 'MISSED'}"
            print(
                f"{threads} threads {row['what']:20} {row['rate'] / 1e9:8.1f} G{row['unit']} "
                f"{100 * row['of_limit']:4.0f} % of the limit, {100 * row['of_peer']:4.0f} % of {peer}{must}"
            )
    if options.json:
        options.json.write_text(json.dumps({"machine": machine.describe(), "threads": report}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
