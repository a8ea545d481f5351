#!/usr/bin/env python3
"""`skerry serve` under load: time to ready, memory, overhead on one connection, many clients with every answer checked.

    serving.py [--requests N] [--clients N] [--wrk SECONDS]

Must: ready below 100 ms, below 30 MB and the model; at most 150 us (p50) over the model's own time on one
connection; 100 000 requests of 64 clients with none lost, none wrong, memory flat. `wrk`, where it is
installed, gives the throughput that a client in C sees; its requests are all alike, so that no batches are formed
(equal rows prove nothing).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import machine
import numpy as np
import onnxruntime

MODEL = machine.REPOSITORY / "tests" / "data" / "models" / "digits_cnn.onnx"
PATH = "/v2/models/digits/infer"
KINDS = 256  # different inputs


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    ready_seconds: float

    def resident_mb(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) * 1024 / 1e6


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Server]:
    begin = time.perf_counter()
    command = [str(machine.CLI), "serve", "--json", "--http", "127.0.0.1:0", "--model-repository", str(folder), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    try:
        yield Server(process, int(told["http"].rpartition(":")[2]), time.perf_counter() - begin)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def message(x: np.ndarray) -> bytes:
    """A whole HTTP request with raw tensors in and out."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "parameters": {"binary_data_size": 256}}
    head = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    text = json.dumps(head).encode()
    body = text + x.tobytes()
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: a\r\nInference-Header-Content-Length: {len(text)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@dataclass
class Load:
    """What the clients of one round saw."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0


async def client(port: int, turns: Iterator[int], messages: list[bytes], expected: np.ndarray, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in turns:
        kind = turn % KINDS
        begin = time.perf_counter()
        writer.write(messages[kind])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        body = await reader.readexactly(length)
        load.seconds.append(time.perf_counter() - begin)
        if not head.startswith(b"HTTP/1.1 200"):
            load.refused += 1
        elif not np.allclose(np.frombuffer(body[-40:], np.float32), expected[kind], rtol=1e-3, atol=1e-4):
            load.wrong += 1
    writer.close()


def drive(port: int, requests: int, clients: int, messages: list[bytes], expected: np.ndarray) -> tuple[Load, float]:
    async def work() -> tuple[Load, float]:
        load, turns = Load(), iter(range(requests))
        begin = time.perf_counter()
        await asyncio.gather(*(client(port, turns, messages, expected, load) for _ in range(clients)))
        return load, time.perf_counter() - begin

    return asyncio.run(work())


def describe(name: str, load: Load, seconds: float, requests: int) -> str:
    ordered = sorted(load.seconds)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1e6 for share in (0.5, 0.99))
    return (
        f"{name:28} {requests / seconds:9.0f}/s  p50 {p50:8.0f} us  p99 {p99:8.0f} us  "
        f"answered {len(ordered)} of {requests}, wrong {load.wrong}, refused {load.refused}"
    )


def statistics_of(port: int) -> dict[str, float]:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/digits/stats") as got:
        stats = json.load(got)["model_stats"][0]
    runs = max(1, stats["execution_count"])
    infer = sum(row["compute_infer"]["ns"] for row in stats["batch_stats"])
    return {"rows a run": stats["inference_count"] / runs, "us a run": infer / runs / 1e3}


def wrk(port: int, clients: int, seconds: int, folder: Path) -> str:
    script = folder / "post.lua"
    data = ",".join(["0.5"] * 64)
    text = f'{{"inputs":[{{"name":"x","datatype":"FP32","shape":[1,1,8,8],"data":[{data}]}}]}}'
    script.write_text(f"wrk.method=\"POST\"\nwrk.body='{text}'\n")
    command = [
        "wrk",
        "-t1",
        f"-c{clients}",
        f"-d{seconds}",
        "--latency",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}{PATH}",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.findall(r"Requests/sec:\s+(\S+)", out)[0]
    tail = dict(re.findall(r"(50|99)%\s+(\S+)", out))
    return f"wrk, {clients:2} connections          {float(rate):9.0f}/s  p50 {tail['50']}  p99 {tail['99']}  (JSON)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--wrk", type=int, default=3, metavar="SECONDS")
    options = parser.parse_args()
    print(machine.describe())
    images = np.random.default_rng(7).random((KINDS, 1, 1, 8, 8), dtype=np.float32)
    oracle = onnxruntime.InferenceSession(MODEL.read_bytes(), providers=["CPUExecutionProvider"])
    expected = np.stack([oracle.run(None, {"x": x})[0][0] for x in images])
    messages = [message(x) for x in images]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "digits" / "1").mkdir(parents=True)
        shutil.copy(MODEL, folder / "digits" / "1" / "model.onnx")
        ready = []
        for _ in range(11):
            with serving(folder) as server:
                ready.append(server.ready_seconds)
                resident = server.resident_mb()
        median = statistics.median(ready) * 1e3
        print(f"process start to ready       median {median:.1f} ms, resident then {resident:.1f} MB")
        with serving(folder) as server:
            drive(server.port, 200, 1, messages, expected)
            before = statistics_of(server.port)
            load, seconds = drive(server.port, 3000, 1, messages, expected)
            print(describe("one connection", load, seconds, 3000), f"; the model alone {before['us a run']:.0f} us")
        for label, words in (("batched", ()), ("one by one", ("--batches", "1"))):
            with serving(folder, *words) as server:
                drive(server.port, 2000, options.clients, messages, expected)
                begin = server.resident_mb()
                load, seconds = drive(server.port, options.requests, options.clients, messages, expected)
                stats = statistics_of(server.port)
                print(describe(f"{options.clients} clients, {label}", load, seconds, options.requests))
                print(f"{'':28} {stats['rows a run']:.2f} rows a run, {stats['us a run']:.0f} us a run; "
                      f"resident {begin:.1f} -> {server.resident_mb():.1f} MB")  # fmt: skip
        if options.wrk > 0 and shutil.which("wrk") is not None:
            with serving(folder) as server:
                for clients in (1, options.clients):
                    print(wrk(server.port, clients, options.wrk, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
