#!/usr/bin/env python3
"""`skerry serve` under load beside its peers: time to ready, memory, overhead on one connection, many clients.

    serving.py [--requests N] [--clients N] [--rounds N] [--triton VENV] [--soak N]

Must, of the digits model at 64 clients: p99 at most half and throughput at least twice that of Triton's Python
backend with ONNX Runtime, p99 at most 1.3 times that of a bare ONNX Runtime loop behind a minimal server in C++
(`serving_ort.cpp`); batched at least 3 times its unbatched self; none lost, none wrong, memory flat. Ready below
100 ms, below 30 MB and the model; on one connection at most 150 us (p50) over the model's own time.

The clients are `serving_client.cpp`: one thread, every answer checked against ONNX Runtime's. On two cores it takes
what it needs from the servers, from each the same; its own share is told. Rounds alternate between the servers.
`--triton`: a virtual environment with nvidia-pytriton and onnxruntime. `--soak`: so many requests of 1 to 8 rows in
JSON and raw bytes against one server, its memory told at every tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
MODEL = machine.REPOSITORY / "tests" / "data" / "models" / "digits_cnn.onnx"
PATH = "/v2/models/digits/infer"
KINDS = 256  # different inputs


@dataclass
class Server:
    """A process that answers."""

    process: subprocess.Popen[str]
    port: int
    ready_seconds: float
    grpc: str = ""  # its address

    @property
    def grpc_port(self) -> int:
        return int(self.grpc.rpartition(":")[2])

    def resident_mb(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) * 1024 / 1e6


@contextmanager
def serving(folder: Path, *words: str, log: Path = Path(os.devnull)) -> Iterator[Server]:
    """Skerry."""
    begin = time.perf_counter()
    command = [str(machine.CLI), "serve", "--json", "--http", "127.0.0.1:0", "--model-repository", str(folder), *words]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    try:
        yield Server(process, int(told["http"].rpartition(":")[2]), time.perf_counter() - begin, told["grpc"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def built(name: str, folder: Path) -> Path:
    """A program of this folder, compiled."""
    program = folder / name
    words = ["g++", "-std=c++20", "-O2", str(HERE / f"{name}.cpp"), "-o", str(program), "-ldl", "-pthread"]
    subprocess.run(words, check=True)
    return program


@contextmanager
def bare_runtime(program: Path, threads: int) -> Iterator[Server]:
    """ONNX Runtime behind the least HTTP."""
    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    command = [str(program), str(library), str(MODEL), str(threads), "64", "10", "1", "1", "8", "8"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Server(process, int(process.stdout.readline()), 0.0)
    finally:
        process.kill()
        process.wait()


TRITON_CONFIG = """backend: "python"
max_batch_size: 32
input [{ name: "x" data_type: TYPE_FP32 dims: [1, 8, 8] }]
output [{ name: "logits" data_type: TYPE_FP32 dims: [10] }]
dynamic_batching { preferred_batch_size: [4, 16, 32] }
instance_group [{ kind: KIND_CPU count: 1 }]
"""
TRITON_MODEL = """
import sys
sys.path.insert(0, "PACKAGES")
import numpy as np
import onnxruntime
import triton_python_backend_utils as utils

class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession("MODEL", options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        parts = [utils.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        rows = self.session.run(None, {"x": np.concatenate(parts)})[0]
        answers, at = [], 0
        for part in parts:
            mine = utils.Tensor("logits", rows[at:at + len(part)])
            answers.append(utils.InferenceResponse(output_tensors=[mine]))
            at += len(part)
        return answers
"""


@contextmanager
def triton(environment: Path, folder: Path) -> Iterator[Server]:
    """Triton's server from the wheel of pytriton, without that package's own proxies."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / f"python{version}" / "site-packages"
    home = packages / "pytriton" / "tritonserver"
    place = folder / "digits"
    (place / "1").mkdir(parents=True)
    (place / "config.pbtxt").write_text(TRITON_CONFIG)
    (place / "1" / "model.py").write_text(TRITON_MODEL.replace("PACKAGES", str(packages)).replace("MODEL", str(MODEL)))
    backends = folder.with_name(folder.name + "-backends")
    shutil.copytree(home / "backends", backends)
    shutil.copy(home / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(home / "bin" / "tritonserver"), "--model-repository", str(folder), "--http-address", "127.0.0.1",
               "--backend-directory", str(backends), "--http-port", str(port),
               "--allow-grpc=false", "--allow-metrics=false"]  # fmt: skip
    libraries = [str(packages / "nvidia_pytriton.libs"), str(Path(sys.base_prefix) / "lib")]
    variables = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, text=True)
    begin = time.perf_counter()
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready"):
                    break
            except OSError:
                if process.poll() is not None or time.perf_counter() - begin > 60:
                    raise RuntimeError((folder / "log").read_text()[-2000:]) from None
                time.sleep(0.1)
        yield Server(process, port, time.perf_counter() - begin)
    finally:
        process.terminate()
        process.wait(timeout=60)


def message(x: np.ndarray, raw: bool = True, path: str = PATH) -> bytes:
    """A whole HTTP request; the answer's tensor is raw in either case."""
    tensor: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": list(x.shape)}
    if raw:
        tensor["parameters"] = {"binary_data_size": x.nbytes}
    else:
        tensor["data"] = x.ravel().tolist()
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    body = text + (x.tobytes() if raw else b"")
    mark = f"Inference-Header-Content-Length: {len(text)}\r\n" if raw else ""
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{mark}Content-Length: {len(body)}\r\n\r\n".encode() + body


def write_messages(file: Path, messages: Sequence[bytes], expected: Sequence[np.ndarray]) -> Path:
    """What serving_client reads."""
    with file.open("wb") as out:
        out.write(struct.pack("<I", len(messages)))
        for request, answer in zip(messages, expected, strict=True):
            out.write(struct.pack("<I", len(request)) + request + struct.pack("<I", answer.size) + answer.tobytes())
    return file


@dataclass
class Load:
    """What the clients of one round saw."""

    told: dict[str, float]

    @property
    def rate(self) -> float:
        return self.told["answered"] / self.told["seconds"]

    @property
    def p99(self) -> float:
        return self.told["p99_us"]

    def describe(self, name: str) -> str:
        t = self.told
        return (
            f"{name:28} {self.rate:8.0f}/s  p50 {t['p50_us']:7.0f}  p99 {t['p99_us']:7.0f}  "
            f"p99.9 {t['p999_us']:7.0f} us  "
            f"{t['answered']:.0f} of {t['asked']:.0f} answered, {t['wrong']:.0f} wrong, {t['refused']:.0f} refused, "
            f"{t['lost']:.0f} lost; client {100 * t['client_cpu_seconds'] / t['seconds']:.0f} % of a core"
        )


@dataclass
class Clients:
    """The load generator and its requests."""

    program: Path
    messages: Path

    def start(
        self, port: int, requests: int, connections: int, messages: Path | None = None, rate: float = 0.0
    ) -> subprocess.Popen[str]:
        """Begins a round; rate: requests a second, whether others are answered or not."""
        words = [self.program, port, connections, requests, messages or self.messages, rate]
        return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)

    def drive(
        self, port: int, requests: int, connections: int, messages: Path | None = None, rate: float = 0.0
    ) -> Load:
        """A round from its begin to its end."""
        out, _ = self.start(port, requests, connections, messages, rate).communicate()
        return Load(json.loads(out))


def statistics_of(port: int) -> dict[str, float]:
    """Of the digits model since the server's start."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/digits/stats") as got:
        stats = json.load(got)["model_stats"][0]
    runs = max(1, stats["execution_count"])
    infer = sum(row["compute_infer"]["ns"] for row in stats["batch_stats"])
    return {"rows a run": stats["inference_count"] / runs, "us a run": infer / runs / 1e3}


def median_of(loads: Sequence[Load]) -> tuple[float, float]:
    """Answers a second and p99 in microseconds."""
    return statistics.median(load.rate for load in loads), statistics.median(load.p99 for load in loads)


def start_and_one_connection(folder: Path, clients: Clients) -> None:
    """Time to ready, memory, and what the server adds to the model's own time."""
    ready = []
    for _ in range(11):
        with serving(folder) as server:
            ready.append(server.ready_seconds)
            resident = server.resident_mb()
    print(
        f"process start to ready       median {statistics.median(ready) * 1e3:.1f} ms, resident then {resident:.1f} MB"
    )
    with serving(folder) as server:
        clients.drive(server.port, 200, 1)
        load = clients.drive(server.port, 3000, 1)
        own = statistics_of(server.port)["us a run"]
        print(load.describe("one connection"))
        print(f"{'':28} the model alone {own:.1f} us, so {load.told['p50_us'] - own:.0f} us over it")


def side_by_side(
    servers: dict[str, Callable[[], Any]], clients: Clients, requests: int, connections: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Medians of rounds that alternate between servers which all run, the others idle."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(start()) for name, start in servers.items()}
        loads: dict[str, list[Load]] = {name: [] for name in running}
        for server in running.values():
            clients.drive(server.port, 2000, connections)
        before = {name: server.resident_mb() for name, server in running.items()}
        for _ in range(rounds):
            for name, server in running.items():
                number = requests if name != "Triton" else requests // 5
                loads[name].append(clients.drive(server.port, number, connections))
                print(loads[name][-1].describe(name))
        for name, server in running.items():
            print(f"{name:28} resident {before[name]:.1f} -> {server.resident_mb():.1f} MB", end="")
            if name.startswith("Skerry"):
                own = statistics_of(server.port)
                print(f"; {own['rows a run']:.2f} rows a run, {own['us a run']:.1f} us a run", end="")
            print()
    return {name: median_of(of) for name, of in loads.items()}


def soak(folder: Path, clients: Clients, requests: int, oracle: onnxruntime.InferenceSession, scratch: Path) -> None:
    """Memory over many requests of many shapes."""
    draw = np.random.default_rng(11)
    images = [draw.random((1 + i % 8, 1, 8, 8), dtype=np.float32) for i in range(KINDS)]
    texts = [message(x, raw=i % 16 < 12) for i, x in enumerate(images)]
    mixed = write_messages(scratch / "mixed", texts, [oracle.run(None, {"x": x})[0] for x in images])
    with serving(folder) as server:
        clients.drive(server.port, requests // 20, 64, mixed)
        seen = [server.resident_mb()]
        for _ in range(10):
            load = clients.drive(server.port, requests // 10, 64, mixed)
            seen.append(server.resident_mb())
            print(load.describe(f"soak, resident {seen[-1]:.2f} MB"))
        slope = np.polyfit(range(len(seen)), seen, 1)[0] * 10
        print(f"soak: {requests} requests of 1 to 8 rows, {seen[0]:.2f} -> {seen[-1]:.2f} MB, slope {slope:+.3f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--triton", type=Path, metavar="VENV")
    parser.add_argument("--soak", type=int, default=0, metavar="N")
    options = parser.parse_args()
    print(machine.describe())
    images = np.random.default_rng(7).random((KINDS, 1, 1, 8, 8), dtype=np.float32)
    oracle = onnxruntime.InferenceSession(MODEL.read_bytes(), providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name) / "models", Path(name)
        (folder / "digits" / "1").mkdir(parents=True)
        shutil.copy(MODEL, folder / "digits" / "1" / "model.onnx")
        answers = [oracle.run(None, {"x": x})[0] for x in images]
        messages = write_messages(scratch / "single", [message(x) for x in images], answers)
        clients = Clients(built("serving_client", scratch), messages)
        if options.soak:
            soak(folder, clients, options.soak, oracle, scratch)
            return 0
        start_and_one_connection(folder, clients)
        runtime = built("serving_ort", scratch)
        servers: dict[str, Callable[[], Any]] = {
            "Skerry": lambda: serving(folder),
            "Skerry, one by one": lambda: serving(folder, "--batches", "1"),
            "ONNX Runtime, 1 thread": lambda: bare_runtime(runtime, 1),
            "ONNX Runtime, 2 threads": lambda: bare_runtime(runtime, 2),
        }
        if options.triton:
            servers["Triton"] = lambda: triton(options.triton, scratch / "triton")
        medians = side_by_side(servers, clients, options.requests, options.clients, options.rounds)
        rate, p99 = medians.pop("Skerry")
        for other, (their_rate, their_p99) in medians.items():
            print(f"Skerry to {other:26} {rate / their_rate:5.2f} of its throughput, {p99 / their_p99:5.2f} of its p99")
    return 0


if __name__ == "__main__":
    sys.exit(main())
