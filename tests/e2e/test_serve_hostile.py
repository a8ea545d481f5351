"""Requests that end or stall other servers: each is refused within a second and leaves this one serving."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import servers
from tests.e2e.servers import Answer, Server

INFER = "/v2/models/digits/infer"
GOOD = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    with servers.serving(folder, "--model-repository", servers.repository(folder / "models")) as running:
        assert running.post(INFER, GOOD).status == 200
        yield running


@pytest.fixture(autouse=True)
def still_serving(server: Server) -> Iterator[None]:
    before = server.resident_bytes()
    yield
    assert server.process.poll() is None
    assert server.post(INFER, GOOD).status == 200
    assert server.resident_bytes() - before < 64 << 20


def tensor(shape: list[object], data: object) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "data": data}]}).encode()


def announced(size: int) -> bytes:
    """A tensor whose bytes are said to follow."""
    given = {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "parameters": {"binary_data_size": size}}
    return json.dumps({"inputs": [given]}).encode()


def post_of(path: str, body: bytes) -> bytes:
    """A request as its bytes."""
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body


def refused_at_once(server: Server, body: bytes, **how: Any) -> Answer:
    """The answer to an inference, which says within a second why it is none."""
    begin = time.monotonic()
    got = server.post(INFER, body, **how)
    assert time.monotonic() - begin < 1.0
    assert isinstance(got.json()["error"], str) and got.json()["error"]
    return got


BODIES = {
    "200 000 open brackets": b"[" * 200_000,
    "200 000 brackets inside data": b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":' + b"[" * 200_000,
    "closed deep nesting": b'{"inputs":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "a shape that overflows": tensor([99999999999, 9999999999999], []),
    "a shape of a terabyte": tensor([1 << 40], [1.0]),
    "a negative extent": tensor([-1, 1, 8, 8], [0.0] * 64),
    "a fractional extent": tensor([1.5, 1, 8, 8], [0.0] * 64),
    "bare NaN": tensor([1, 1, 8, 8], [0.0] * 63 + [float("nan")]),
    "bare Infinity": tensor([1, 1, 8, 8], [0.0] * 63 + [float("inf")]),
    "a number beyond FP32": tensor([1, 1, 8, 8], [0.0] * 63 + [1e300]),
    "texts as numbers": tensor([1, 1, 8, 8], ["0"] * 64),
    "too few elements": tensor([1, 1, 8, 8], [0.0] * 63),
    "too many elements": tensor([1, 1, 8, 8], [0.0] * 65),
    "rank 100": tensor([1] * 100, [0.0]),
    "no JSON": b"hello",
    "no body": b"",
    "cut JSON": b'{"inputs": [',
    "not UTF-8": b'{"inputs": "\xff\xfe"}',
    "a list": b"[]",
    "no inputs": b"{}",
    "inputs that are none": b'{"inputs": 7}',
    "an input that is none": b'{"inputs": [7]}',
    "an unknown datatype": json.dumps(GOOD).replace("FP32", "FP8").encode(),
    "a datatype of texts": json.dumps(GOOD).replace("FP32", "BYTES").encode(),
    "data and raw bytes at once": json.dumps(GOOD)
    .replace('"data"', '"parameters": {"binary_data_size": 256}, "data"')
    .encode(),
    "raw bytes that are not there": announced(256),
    "a size of 2^63": announced(1 << 63),
    "the same input twice": json.dumps({"inputs": GOOD["inputs"] * 2}).encode(),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_with_its_reason(server: Server, name: str) -> None:
    got = refused_at_once(server, BODIES[name])
    assert 400 <= got.status < 500 or (got.status == 501 and "texts" in name), got


@pytest.mark.parametrize("text", ["-1", "1e3", "99999999999999999999", "0x10", " 5", "1000"])
def test_a_bad_json_length_is_refused(server: Server, text: str) -> None:
    got = server.post(INFER, GOOD, headers={"Inference-Header-Content-Length": text})
    assert got.status == 400 and got.json()["error"]


def bomb(layers: int, kind: str) -> bytes:
    if kind == "gzip":
        data = gzip.compress(b"\0" * (1 << 20), 9) * (1 << 10)  # a gibibyte in members
    else:
        maker = zlib.compressobj(9)
        front = maker.compress(b" ") + maker.flush(zlib.Z_FULL_FLUSH)
        piece = maker.compress(b" " * (1 << 20)) + maker.flush(zlib.Z_FULL_FLUSH)
        data = front + piece * (1 << 10)  # after a full flush a piece can be repeated
    return gzip.compress(data) if layers == 2 else data


@pytest.mark.parametrize(("layers", "kind"), [(1, "gzip"), (1, "deflate"), (2, "gzip")])
def test_a_bomb_of_a_gibibyte_is_refused_within_a_second(server: Server, layers: int, kind: str) -> None:
    got = refused_at_once(server, bomb(layers, kind), headers={"Content-Encoding": kind if layers == 1 else "gzip"})
    assert 400 <= got.status < 500


@pytest.mark.parametrize("data", [b"", b"no gzip at all", gzip.compress(b"{}")[:-9], gzip.compress(b"{}") + b"more"])
def test_a_damaged_stream_is_refused(server: Server, data: bytes) -> None:
    got = server.post(INFER, data, headers={"Content-Encoding": "gzip"})
    assert got.status == 400 and got.json()["error"]


def test_an_unknown_encoding_is_refused(server: Server) -> None:
    assert server.post(INFER, b"x", headers={"Content-Encoding": "br"}).status == 501


HEADS = {
    "Content-Length of 1 TiB": (
        b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 1099511627776\r\n\r\n",
        b"413",
    ),
    "both framings": (
        b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    "both framings, other order": (
        b"POST /v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    "two lengths": (b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", b"400"),
    "the same length twice": (
        b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        b"400",
    ),
    "a negative length": (b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n", b"400"),
    "a length of letters": (b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: four\r\n\r\n", b"400"),
    "huge headers": (b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", b"431"),
    "many headers": (
        b"GET /v2 HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(20_000)) + b"\r\n",
        b"431",
    ),
    "a bare line feed in a header": (b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: a\n\nb\r\n\r\n", b"400"),
    "a space before the colon": (b"GET /v2 HTTP/1.1\r\nHost : a\r\n\r\n", b"400"),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    "an unknown version": (b"GET /v2 HTTP/9.9\r\nHost: a\r\n\r\n", b"400"),
    "a chunk size that overflows": (
        b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"400",
    ),
    "a coding that only looks like chunked": (
        b"POST /v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\nGET /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"400",
    ),
    "chunks of HTTP/1.0": (b"POST /v2 HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    "a long path": (b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"414"),
    "a bad percent sign": (b"GET /v2/models/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"400"),
    "a path out of the repository": (
        b"GET /v2/models/..%2f..%2fetc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"404",
    ),
    "a zero byte in the name": (b"GET /v2/models/digits%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"404"),
    "an unknown method": (b"BREW /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"405"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_bad_head_is_refused_and_its_connection_ended(server: Server, name: str) -> None:
    data, status = HEADS[name]
    begin = time.monotonic()
    got = server.raw(data)
    assert time.monotonic() - begin < 1.0 or b"Connection: close" in got
    assert got.startswith(b"HTTP/1.1 " + status), got[:200]
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]


def test_requests_behind_each_other_are_answered_in_order(server: Server) -> None:
    one = b"GET /v2/models/%s HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    got = server.raw(one % b"digits" + one % b"nobody" + one % b"bell" + last)
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", got)
    assert statuses == [b"200", b"404", b"200", b"200"]


def test_expect_continue_is_answered(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection((server.host, server.port), timeout=5) as connection:
        connection.sendall(head % (INFER.encode(), len(body)))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")


def test_chunked_bodies_are_understood(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 100]), body[i : i + 100]) for i in range(0, len(body), 100))
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" % INFER.encode()
    assert server.raw(head + chunks + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def open_connections(server: Server) -> int:
    lines = server.get("/metrics").body.decode().splitlines()
    return int(next(line for line in lines if line.startswith("skerry_http_connections ")).split()[1])


def test_a_closed_connection_frees_its_slot_at_once(tmp_path: Path) -> None:
    with servers.serving(
        tmp_path, "--model-repository", servers.repository(tmp_path / "m"), "--batch-delay-us", "3000000"
    ) as server:
        waiting = [socket.create_connection((server.host, server.port)) for _ in range(8)]
        for connection in waiting:
            connection.sendall(post_of(INFER, json.dumps(GOOD).encode()))
        time.sleep(0.3)
        for connection in waiting:
            connection.close()
        begin = time.monotonic()
        program = {
            "program": "OPENQASM 3.0; qubit[24] q; " + "".join(f"h q[{i % 24}];" for i in range(4000)),
            "state": True,
        }
        gone = socket.create_connection((server.host, server.port))
        gone.sendall(post_of("/v2/circuits", json.dumps(program).encode()))
        time.sleep(0.1)
        gone.close()
        assert time.monotonic() - begin < 2
        deadline = time.monotonic() + 5
        while "cancelled" not in server.log.read_text() and server.log.read_text().count('"status":499') < 1:
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.01)


def test_slow_connections_do_not_slow_the_others(server: Server) -> None:
    def fastest(turns: int) -> float:
        times = []
        for _ in range(turns):
            begin = time.monotonic()
            assert server.post(INFER, GOOD).status == 200
            times.append(time.monotonic() - begin)
        return sorted(times)[turns // 2]

    before = fastest(50)
    slow = [socket.create_connection((server.host, server.port)) for _ in range(1000)]
    for connection in slow:
        connection.sendall(b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\n")
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.5):
            for connection in slow:
                try:
                    connection.sendall(b"X: a\r\n")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while open_connections(server) < 1000:
            assert time.monotonic() < deadline
        assert fastest(50) < 3 * before + 0.005
    finally:
        ended.set()
        thread.join()
        for connection in slow:
            connection.close()
    deadline = time.monotonic() + 5
    while open_connections(server) > 10:
        assert time.monotonic() < deadline
