"""The port of gRPC under frames that no client sends: others are served, memory stays within bounds, nothing falls."""

from __future__ import annotations

import random
import socket
import time
import warnings
from collections.abc import Iterator

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import tritonclient.grpc as triton

from tests.e2e import http2_frames as h2
from tests.e2e import servers
from tests.e2e.servers import Server

ROOM = 64 << 20  # bytes that a server may grow by, whatever it is sent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.serving(tmp_path_factory.mktemp("http2"), "--grpc", "127.0.0.1:0") as running:
        yield running


def address(server: Server) -> tuple[str, int]:
    host, _, port = server.grpc.rpartition(":")
    return host, int(port)


def answers(server: Server) -> bool:
    with triton.InferenceServerClient(server.grpc) as client:
        return bool(client.is_server_live(client_timeout=20))


def test_frames_as_they_should_be_are_answered(server: Server) -> None:
    with socket.create_connection(address(server), timeout=20) as connection:
        connection.sendall(h2.PREFACE + h2.settings() + b"".join(h2.call(1)))
        got = b""
        while b"grpc-status" not in got:
            piece = connection.recv(65536)
            assert piece, got
            got += piece
    assert b"grpc-status\x010" in got  # else what is damaged below was no request to begin with


@pytest.mark.parametrize("name", h2.ATTACKS)
def test_a_server_outlives_what_no_client_sends(server: Server, name: str) -> None:
    assert answers(server)
    before = server.resident_bytes()
    draw = random.Random(name)
    for most in (20, 200, 2000):
        h2.send(address(server), h2.ATTACKS[name](draw), most)
        assert answers(server)
    assert server.process.poll() is None, server.log.read_text()
    assert server.resident_bytes() < before + ROOM


def test_a_connection_that_says_nothing_costs_no_answer(server: Server) -> None:
    idle = [socket.create_connection(address(server)) for _ in range(100)]
    try:
        for one in idle[:50]:
            one.sendall(h2.PREFACE[:10])
        begin = time.monotonic()
        assert answers(server)
        assert time.monotonic() - begin < 20
    finally:
        for one in idle:
            one.close()
