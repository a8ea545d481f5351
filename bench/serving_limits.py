#!/usr/bin/env python3
"""What bad clients cost good ones, what batches bring, and how many requests of gRPC are lost.

    serving_limits.py [--slow 1000] [--requests 100000] [--turns 100] [--batches 1] [--fuzz 0]

Must: batched at least three times the throughput of its unbatched self; 1 000 slow connections raise the others' p99
less than twice; a closed connection frees its slot within 10 ms; 100 000 requests of 64 concurrent gRPC clients, none
lost, none wrong, memory flat. The slow connections send a header of one byte each second, from a process of their own.
The slot is a place in the queue of a model (one that waits for company for ten seconds, so that nothing else frees it),
and the thread that runs a circuit. gRPC's clients are `serving_grpc_client.cpp`. `--fuzz`: so many requests of gRPC
whose messages were damaged by chance; each must be answered.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import random
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.synchronize import Event
from pathlib import Path

import grpc
import machine
import numpy as np
import onnxruntime
import overload
import serving

LONG = 'OPENQASM 3.0; include "stdgates.inc"; qubit[20] q; ' + "".join(
    f"ry({0.1 + 0.01 * (i % 89)}) q[{i % 20}]; cx q[{i % 20}], q[{7 * i % 19 if 7 * i % 19 != i % 20 else 19}];"
    for i in range(20_000)
    if i % 20 != 19
)


def drip(port: int, number: int, ready: Event, end: Event) -> None:
    """Slow connections."""
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(number)]
    for one in slow:
        one.sendall(b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\n")
    ready.set()
    while not end.wait(1.0):
        for i, one in enumerate(slow):
            try:
                one.sendall(b"X:1\r\n")
            except OSError:  # its ten seconds are over
                slow[i] = socket.create_connection(("127.0.0.1", port))
                slow[i].sendall(b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\n")


def slow_connections(folder: Path, clients: serving.Clients, number: int) -> None:
    """p99 of others with and without them, in turn."""
    beside: dict[bool, list[float]] = {False: [], True: []}
    with serving.serving(folder) as server:
        clients.drive(server.port, 20_000, 8)
        resident = server.resident_mb()
        for _ in range(5):
            beside[False].append(clients.drive(server.port, 40_000, 8).p99)
            ready, end = multiprocessing.Event(), multiprocessing.Event()
            process = multiprocessing.Process(target=drip, args=(server.port, number, ready, end))
            process.start()
            ready.wait()
            beside[True].append(clients.drive(server.port, 40_000, 8).p99)
            most = server.resident_mb()
            end.set()
            process.join()
    without, with_them = (statistics.median(beside[key]) for key in (False, True))
    print(f"{number} slow connections       p99 of others {without:.0f} -> {with_them:.0f} us "
          f"({with_them / without:.2f} times), resident {resident:.1f} -> {most:.1f} MB")  # fmt: skip


def ask(port: int, path: str, body: bytes) -> int:
    """Status of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, body)
    return connection.getresponse().status


def sent(port: int, path: str, body: bytes) -> socket.socket:
    """A request that nobody reads the answer of."""
    made = socket.create_connection(("127.0.0.1", port))
    made.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return made


def closed_connections(folder: Path, turns: int) -> None:
    """Seconds from the close to the moment when the server has let go."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}
    body = json.dumps({"inputs": [tensor]}).encode()
    log = folder.parent / "limits-log"
    places = []
    words = ("--batch-delay-us", "10000000", "--max-queue", "1")
    with serving.serving(folder, *words) as server:
        waiting = sent(server.port, serving.PATH, body)
        while ask(server.port, serving.PATH, body) != 503:
            time.sleep(0.001)
        for _ in range(turns):
            waiting.close()
            begin = time.perf_counter()
            while True:  # whoever finds the place free takes it, and is the next to go
                waiting = sent(server.port, serving.PATH, body)
                waiting.settimeout(0.002)
                try:
                    waiting.recv(100)
                except TimeoutError:
                    break
                waiting.close()
            places.append(time.perf_counter() - begin - 0.002)
        waiting.close()
    runs = []
    circuit = json.dumps({"program": LONG, "state": True}).encode()
    with serving.serving(folder, log=log) as server:
        for turn in range(1, turns // 5 + 1):
            running = sent(server.port, "/v2/circuits", circuit)
            time.sleep(0.5)  # read, planned, running
            running.close()
            begin = time.perf_counter()
            while log.read_text().count('"status":499') < turn:
                assert time.perf_counter() < begin + 5
                time.sleep(0.0005)
            runs.append(time.perf_counter() - begin)
    for name, of in (("a place in a queue", places), ("a circuit of 20 wires", runs)):
        ordered = sorted(of)
        print(f"closed: {name:20} {len(of)} times, median {1e3 * statistics.median(of):.1f} ms, "
              f"largest {1e3 * ordered[-1]:.1f} ms")  # fmt: skip


def field(number: int, content: bytes) -> bytes:
    """A field of bytes of protobuf; shorter than 16 KiB."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + content


def infer_message(x: np.ndarray) -> bytes:
    """inference.ModelInferRequest with raw content."""
    tensor = field(1, b"x") + field(2, b"FP32") + field(3, bytes(x.shape))
    return field(1, b"digits") + field(5, tensor) + field(7, x.tobytes())


def damaged(message: bytes, draw: random.Random) -> bytes:
    """One to four changes: bits, bytes cut out, doubled, put in, the rest cut off; half of them near the front, where
    the names and sizes stand, and half of all messages keep their length."""
    out = bytearray(message)
    keeps_length = draw.random() < 0.5
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(min(len(out), 40) + 1 if draw.random() < 0.5 else len(out) + 1)
        how, length = 0 if keeps_length else draw.randrange(5), draw.randint(1, 32)
        if how == 0 and at < len(out):
            out[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            del out[at : at + length]
        elif how == 2:
            out[at:at] = out[at : at + length]
        elif how == 3:
            out[at:at] = draw.randbytes(length)
        elif at:
            del out[at:]
    return bytes(out)


async def grpc_damage(target: str, messages: list[bytes], requests: int) -> dict[str, int]:
    """Answers by their status."""
    draw, turns, seen = random.Random(5), iter(range(requests)), Counter[str]()

    async def client(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for turn in turns:
            try:
                await call(damaged(messages[turn % len(messages)], draw))
                seen["OK"] += 1
            except grpc.aio.AioRpcError as error:
                seen[error.code().name] += 1

    async with grpc.aio.insecure_channel(target) as channel:
        await asyncio.gather(*(client(channel) for _ in range(64)))
    return dict(seen)


def grpc_fuzz(folder: Path, clients: serving.Clients, messages: list[bytes], requests: int) -> None:
    """Whether the server is as it was."""
    with serving.serving(folder, "--grpc", "127.0.0.1:0") as server:
        asyncio.run(grpc_damage(server.grpc, messages, max(1, requests // 20)))
        before = server.resident_mb()
        seen = asyncio.run(grpc_damage(server.grpc, messages, requests))
        load = clients.drive(server.grpc_port, 1000, 8)
        print(f"gRPC, damaged               {sum(seen.values())} of {requests} answered: {seen}; then "
              f"{load.told['lost']:.0f} of 1000 lost, {load.told['wrong']:.0f} wrong, "
              f"resident {before:.1f} -> {server.resident_mb():.1f} MB")  # fmt: skip


def batches(folder: Path, clients: serving.Clients, oracle: onnxruntime.InferenceSession) -> None:
    """Rows a second: of requests with one row and with 32, and of a model whose weights are read once a run."""
    scratch = folder.parent
    rows = np.random.default_rng(7).random((32, 1, 8, 8), dtype=np.float32)
    full = serving.write_messages(scratch / "full", [serving.message(rows)], [oracle.run(None, {"x": rows})[0]])
    alone: list[float] = []
    together: list[float] = []
    with serving.serving(folder) as server:
        clients.drive(server.port, 10_000, 64)
        for _ in range(5):
            alone.append(clients.drive(server.port, 50_000, 64).rate)
            together.append(32 * clients.drive(server.port, 5_000, 64, full).rate)
    one, many = statistics.median(alone), statistics.median(together)
    print(f"digits, rows by the request {one:.0f}/s one by one, {many:.0f}/s by 32 ({many / one:.1f} times)")
    overload.write_model(scratch / "chain" / "chain" / "1" / "model.onnx")
    draw, none = np.random.default_rng(9), np.zeros(0, np.float32)
    kinds = [draw.random((1, overload.WIDTH), dtype=np.float32) for _ in range(64)]
    texts = [serving.message(x, path="/v2/models/chain/infer") for x in kinds]
    messages = serving.write_messages(scratch / "rows", texts, [none] * len(texts))
    found = []
    for words in (("--batches", "1"), ()):
        with serving.serving(scratch / "chain", "--threads", "1", *words) as server:
            clients.drive(server.port, 1000, 64, messages)
            found.append(clients.drive(server.port, 3000, 64, messages).rate)
    print(f"chain of matrices           {found[0]:.0f}/s one by one, {found[1]:.0f}/s batched by the server "
          f"({found[1] / found[0]:.1f} times)")  # fmt: skip


def grpc_clients(folder: Path, clients: serving.Clients, requests: int) -> None:
    """64 of them."""
    with serving.serving(folder, "--grpc", "127.0.0.1:0") as server:
        begun = server.resident_mb()
        clients.drive(server.grpc_port, 1000, 1)
        print(clients.drive(server.grpc_port, 3000, 1).describe("gRPC, one connection"))
        clients.drive(server.grpc_port, max(1, requests // 20), 64)
        before = server.resident_mb()
        print(clients.drive(server.grpc_port, requests, 64).describe("gRPC, 64 connections"))
        print(f"gRPC, memory                {begun:.1f} MB at the start, {before:.1f} -> {server.resident_mb():.1f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--batches", type=int, default=1)
    parser.add_argument("--fuzz", type=int, default=0)
    options = parser.parse_args()
    print(machine.describe())
    images = np.random.default_rng(7).random((serving.KINDS, 1, 1, 8, 8), dtype=np.float32)
    oracle = onnxruntime.InferenceSession(serving.MODEL.read_bytes(), providers=["CPUExecutionProvider"])
    answers = [oracle.run(None, {"x": x})[0] for x in images]
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name) / "models", Path(name)
        (folder / "digits" / "1").mkdir(parents=True)
        shutil.copy(serving.MODEL, folder / "digits" / "1" / "model.onnx")
        single = serving.write_messages(scratch / "single", [serving.message(x) for x in images], answers)
        clients = serving.Clients(serving.built("serving_client", scratch), single)
        if options.batches:
            batches(folder, clients, oracle)
        if options.slow:
            slow_connections(folder, clients, options.slow)
        if options.turns:
            closed_connections(folder, options.turns)
        calls = [infer_message(x) for x in images]
        of_grpc = serving.Clients(
            serving.built("serving_grpc_client", scratch), serving.write_messages(scratch / "calls", calls, answers)
        )
        if options.requests:
            grpc_clients(folder, of_grpc, options.requests)
        if options.fuzz:
            grpc_fuzz(folder, of_grpc, calls, options.fuzz)
    return 0


if __name__ == "__main__":
    sys.exit(main())
