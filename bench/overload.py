#!/usr/bin/env python3
"""`skerry serve` under more load than it can carry: what is answered in time, and how soon the rest is refused.

    overload.py [--factor 4] [--seconds 8]

Must: under four times the peak, goodput (answers within their deadline, a second) above 90 % of the peak, p99 of what
is admitted inside the deadline, refusals in under a millisecond. Peak: closed loop, eight connections, before and
after. Overload: open loop, arrivals at random (Poisson) that do not wait for answers, each request with its deadline.
The clients are `serving_client.cpp`; times are those that they see, and for refusals also those of the server's log
(from a request's first byte to its answer). The model is a chain of matrices, some milliseconds a run on one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import machine
import numpy as np
import onnx
import serving
from onnx import TensorProto, helper, numpy_helper

WIDTH, LAYERS = 1024, 24
DEADLINE_MS = 100  # as serving_client counts


def write_model(path: Path) -> None:
    """x -> tanh(x W) again and again."""
    random_numbers = np.random.default_rng(7)
    nodes, weights, name = [], [], "x"
    for layer in range(LAYERS):
        matrix = random_numbers.standard_normal((WIDTH, WIDTH)).astype(np.float32) / WIDTH**0.5
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [name, f"w{layer}"], [f"m{layer}"]))
        name = "y" if layer == LAYERS - 1 else f"t{layer}"
        nodes.append(helper.make_node("Tanh", [f"m{layer}"], [name]))
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["n", WIDTH]) for end in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    path.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def message(deadline_us: int) -> bytes:
    """A whole HTTP request; 0: no deadline."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "parameters": {"binary_data_size": 4 * WIDTH}}
    parameters: dict[str, object] = {"binary_data_output": True}
    if deadline_us:
        parameters["timeout"] = deadline_us
    text = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    body = text + np.full(WIDTH, 0.5, np.float32).tobytes()
    head = (
        f"POST /v2/models/chain/infer HTTP/1.1\r\nHost: a\r\nInference-Header-Content-Length: {len(text)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def quantile(seconds: list[float], share: float) -> float:
    """In milliseconds; 0 where there is none."""
    return sorted(seconds)[int(share * (len(seconds) - 1))] * 1e3 if seconds else 0.0


def logged_refusals(log: Path) -> list[float]:
    """Seconds of each by the server's clock."""
    lines = (json.loads(line) for line in log.read_text().splitlines())
    return [line["us"] * 1e-6 for line in lines if line["event"] == "request" and line["status"] in (503, 504)]


def counted(port: int) -> Iterator[float]:
    """Refusals that the server has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        for line in page.read().decode().splitlines():
            if line.startswith("skerry_requests_rejected_total{"):
                yield float(line.split()[-1])


def peak(clients: serving.Clients, port: int, seconds: float, messages: Path) -> float:
    """Answers a second in a closed loop."""
    first = clients.drive(port, 100, 8, messages).rate
    return clients.drive(port, int(first * seconds), 8, messages).rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    print(machine.describe())
    queue, none = 64, [np.zeros(0, np.float32)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "models" / "chain" / "1" / "model.onnx")
        patient = serving.write_messages(folder / "patient", [message(0)], none)
        urgent = serving.write_messages(folder / "urgent", [message(DEADLINE_MS * 1000)], none)
        hopeless = serving.write_messages(folder / "hopeless", [message(1000)], none)
        clients = serving.Clients(serving.built("serving_client", folder), patient)
        words = ("--batches", "1", "--threads", "1", "--max-queue", str(queue))
        with serving.serving(folder / "models", *words, log=folder / "log") as server:
            before = peak(clients, server.port, options.seconds / 4, patient)
            rate = options.factor * before
            refusals = sum(counted(server.port))
            load = clients.drive(server.port, int(rate * options.seconds), 256, urgent, rate).told
            rejected = sum(counted(server.port)) - refusals
            own = logged_refusals(folder / "log")
            after = peak(clients, server.port, options.seconds / 4, patient)
            best = max(before, after)
            good = load["within_100_ms"] / load["seconds"]
            print(f"peak, 8 connections          {before:7.0f}/s before, {after:.0f}/s after")
            print(f"arrivals                     {load['asked'] / load['seconds']:7.0f}/s, "
                  f"{load['asked'] / load['seconds'] / best:.2f} times the peak; "
                  f"{load['not_asked']:.0f} found no connection, "
                  f"client {100 * load['client_cpu_seconds'] / load['seconds']:.0f} % of a core")  # fmt: skip
            print(f"goodput                      {good:7.0f}/s, {good / before:.2f} of the peak before, "
                  f"{good / after:.2f} of that after")  # fmt: skip
            print(f"admitted                     p50 {load['p50_us'] / 1e3:.1f} ms, p99 {load['p99_us'] / 1e3:.1f} ms, "
                  f"deadline {DEADLINE_MS} ms; {load['lost']:.0f} lost")  # fmt: skip
            print(f"refused                      {load['refused']:.0f} ({rejected:.0f} at once by the server's count), "
                  f"p50 {load['refused_p50_us'] / 1e3:.3f} ms, p99 {load['refused_p99_us'] / 1e3:.3f} ms, "
                  f"{100 * load['refused_below_1_ms'] / max(1, load['refused']):.2f} % below 1 ms")  # fmt: skip
            print(f"refused, the server's clock  {len(own)}, p50 {quantile(own, 0.5):.3f} ms, "
                  f"p99 {quantile(own, 0.99):.3f} ms, {100 * sum(one < 1e-3 for one in own) / max(1, len(own)):.2f} % "
                  "below 1 ms")  # fmt: skip
            with clients.start(server.port, 1_000_000, queue + 1, patient) as filling:
                alone = clients.drive(server.port, int(200 * options.seconds / 2), 8, hopeless, 200).told
                filling.kill()
            print(f"refused beside a full queue  {alone['refused']:.0f} of {alone['asked']:.0f}, "
                  f"p50 {alone['refused_p50_us'] / 1e3:.3f} ms, p99 {alone['refused_p99_us'] / 1e3:.3f} ms, "
                  f"{100 * alone['refused_below_1_ms'] / max(1, alone['refused']):.2f} % below 1 ms")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
