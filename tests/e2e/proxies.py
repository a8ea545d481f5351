"""A TCP proxy that misbehaves as networks do, and an endpoint of before, both between a client and a real server."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PIECE = 8192


@dataclass
class Proxy:
    """Forwards each connection to a port of this machine; what it does to it may change while it runs."""

    target: int
    rate: float = 0.0
    """Bytes a second towards the server; 0: as they come."""
    delay: float = 0.0
    """Seconds that every piece waits, either way."""
    reset_up: int = -1
    """The connection is reset once so many bytes have come from the client; below 0: never."""
    reset_down: int = -1
    """The same of bytes that come back."""
    times: int = 1_000_000
    """How many connections are still reset; the others pass."""
    silent: bool = False
    """Connections are taken and nothing else."""
    mute: bool = False
    """What comes back from the server is swallowed."""
    sent: int = 0
    """Bytes that came from the client so far."""
    connections: int = 0
    resets: int = 0
    _socket: socket.socket = field(default_factory=socket.socket)
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> int:
        """Its port."""
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        for one in [self._socket, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self.connections += 1
                self._open.append(client)
                if self.silent:
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open.append(server)
                for words in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=words, daemon=True).start()

    def _reset(self, *both: socket.socket) -> None:
        self.resets += 1
        for one in both:  # no time to linger: the other side hears of a reset
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)  # whoever reads here lets go of it
                one.close()

    def _pump(self, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                passed += len(piece)
                self.sent += len(piece) if upwards else 0
                limit = self.reset_up if upwards else self.reset_down
                with self._lock:
                    hits = 0 <= limit < passed and self.times > 0
                    self.times -= hits
                if hits:
                    sink.sendall(piece[: max(0, len(piece) - (passed - limit))])
                    self._reset(source, sink)
                    return
                if self.mute and not upwards:
                    continue
                if self.delay:
                    time.sleep(self.delay)
                if upwards and self.rate:
                    time.sleep(len(piece) / self.rate)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def between(target: int, **how: float) -> Iterator[tuple[Proxy, str]]:
    """A proxy for the length of a block, and its address."""
    proxy = Proxy(target, **how)  # type: ignore[arg-type]
    port = proxy.start()
    try:
        yield proxy, f"http://127.0.0.1:{port}"
    finally:
        proxy.stop()


@contextmanager
def before_checkpoints(target: int) -> Iterator[tuple[list[str], str]]:
    """An endpoint that forwards and knows no field `checkpoint`, as servers of earlier versions. The fields that it was
    sent, and its address."""
    seen: list[str] = []

    def refusal(head: dict[str, Any]) -> tuple[str, str] | None:
        seen.extend(head)
        return ("checkpoint", "there is no such field") if "checkpoint" in head else None

    with _before(target, refusal) as address:
        yield seen, address


@contextmanager
def before_names(target: int) -> Iterator[tuple[list[bool], str]]:
    """The same of one that knows programs by their bytes alone. Whether these came each time, and its address."""
    seen: list[bool] = []

    def refusal(head: dict[str, Any]) -> tuple[str, str] | None:
        seen.append("binary_data_size" in head["program"])
        return None if seen[-1] else ("program", "a program is a text, a list of gates, or bytes")

    with _before(target, refusal) as address:
        yield seen, address


@contextmanager
def _before(target: int, refusal: Callable[[dict[str, Any]], tuple[str, str] | None]) -> Iterator[str]:

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: object) -> None:
            pass

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if body:
                head = json.loads(body[: int(self.headers.get("Inference-Header-Content-Length", str(len(body))))])
                if refused := refusal(head):
                    where, message = refused
                    said = {
                        "error": f"{where}: {message}",
                        "code": "invalid_argument",
                        "message": message,
                        "where": where,
                    }
                    self.reply(400, {}, json.dumps(said).encode())
                    return
            connection = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            connection.request(self.command, self.path, body, kept)
            got = connection.getresponse()
            self.reply(got.status, dict(got.getheaders()), got.read())
            connection.close()

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.forward()

        def do_POST(self) -> None:
            self.forward()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
