#!/usr/bin/env python3
"""`skerry serve` under more load than it can carry: what is answered in time, and how soon the rest is refused.

    overload.py [--factor 4] [--seconds 8] [--deadline-ms 100]

Must: under four times the peak, goodput (answers within their deadline, a second) above 90 % of the peak, p99 of what
is admitted inside the deadline, refusals in under a millisecond. Peak: closed loop, eight connections. Overload: open
loop, arrivals at random (Poisson) that do not wait for answers, each request with its deadline. The model is a chain of
matrices with one run of some milliseconds, so that one Python client can ask for more than one core can run. Times are
those that the client sees, its own delays included: one refusal is also timed on an idle client, beside a full queue.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import machine
import numpy as np
import onnx
import serving
from onnx import TensorProto, helper, numpy_helper

WIDTH, LAYERS = 1024, 24


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


@dataclass
class Seen:
    """Seconds of each answer, by what it was."""

    admitted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: int = 0


class Connections:
    """Connections of one port, kept while nobody asks on them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: bytes, seen: Seen) -> None:
        """One request and its answer."""
        pair = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = pair
        begin = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"Content-Length: (\d+)", head)
        assert found is not None
        await reader.readexactly(int(found[1]))
        seconds = time.perf_counter() - begin
        status = int(head[9:12])
        if status == 200:
            seen.admitted.append(seconds)
        elif status in (503, 504):
            seen.refused.append(seconds)
        else:
            seen.other += 1
        self.idle.append(pair)


async def closed_loop(port: int, clients: int, seconds: float) -> float:
    """Answers a second."""
    connections, seen, request = Connections(port), Seen(), message(0)
    end = time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < end:
            await connections.ask(request, seen)

    await asyncio.gather(*(client() for _ in range(clients)))
    return len(seen.admitted) / seconds


async def open_loop(port: int, rate: float, seconds: float, deadline: float) -> tuple[Seen, float]:
    """What became of arrivals at this rate, and how many there were a second."""
    connections, seen, request = Connections(port), Seen(), message(int(deadline * 1e6))
    draw, asked, tasks = random.Random(7), 0, set()
    begin = moment = time.perf_counter()
    while moment < begin + seconds:
        moment += draw.expovariate(rate)
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        task = asyncio.create_task(connections.ask(request, seen))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        asked += 1
    taken = time.perf_counter() - begin
    await asyncio.gather(*tasks)
    return seen, asked / taken


async def refusals_beside_a_full_queue(port: int, queue: int, number: int) -> list[float]:
    """Seconds of refusals, one at a time, while as many as may wait do so."""
    waiting, alone, seen, ignored = Connections(port), Connections(port), Seen(), Seen()
    fillers = [asyncio.create_task(waiting.ask(message(0), ignored)) for _ in range(2 * queue)]
    while len(ignored.refused) < queue // 2:  # the queue is full
        await asyncio.sleep(0.001)
    for _ in range(number):
        await alone.ask(message(1000), seen)
        await asyncio.sleep(0.002)
    await asyncio.gather(*fillers)
    return seen.refused


def quantile(seconds: list[float], share: float) -> float:
    """In milliseconds; 0 where there is none."""
    return sorted(seconds)[int(share * (len(seconds) - 1))] * 1e3 if seconds else 0.0


def counted(port: int) -> Iterator[float]:
    """Refusals that the server has counted."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        for line in page.read().decode().splitlines():
            if line.startswith("skerry_requests_rejected_total{"):
                yield float(line.split()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--deadline-ms", type=float, default=100.0)
    options = parser.parse_args()
    print(machine.describe())
    deadline, queue = options.deadline_ms / 1e3, 64
    with tempfile.TemporaryDirectory() as name:
        write_model(Path(name) / "chain" / "1" / "model.onnx")
        words = ("--batches", "1", "--threads", "1", "--max-queue", str(queue))
        with serving.serving(Path(name), *words) as server:
            asyncio.run(closed_loop(server.port, 8, 1.0))
            peak = asyncio.run(closed_loop(server.port, 8, options.seconds / 2))
            print(f"peak, 8 connections          {peak:7.0f}/s")
            before = sum(counted(server.port))
            seen, rate = asyncio.run(open_loop(server.port, options.factor * peak, options.seconds, deadline))
            rejected = sum(counted(server.port)) - before
            good = sum(one <= deadline for one in seen.admitted) / options.seconds
            print(f"arrivals                     {rate:7.0f}/s, {rate / peak:.2f} times the peak")
            print(f"goodput                      {good:7.0f}/s, {good / peak:.2f} of the peak")
            print(f"admitted                     p50 {quantile(seen.admitted, 0.5):.1f} ms, "
                  f"p99 {quantile(seen.admitted, 0.99):.1f} ms, deadline {options.deadline_ms:.0f} ms")  # fmt: skip
            soon = sum(one < 1e-3 for one in seen.refused)
            print(f"refused                      {len(seen.refused)} ({rejected:.0f} by the server's count, "
                  f"{seen.other} otherwise), p50 {quantile(seen.refused, 0.5):.2f} ms, "
                  f"p99 {quantile(seen.refused, 0.99):.2f} ms, {soon} below 1 ms")  # fmt: skip
            alone = asyncio.run(refusals_beside_a_full_queue(server.port, queue, 50))
            print(f"refused, an idle client      {len(alone)} of 50, p50 {quantile(alone, 0.5):.2f} ms, "
                  f"p99 {quantile(alone, 0.99):.2f} ms")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
