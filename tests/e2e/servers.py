"""A real `skerry serve` as a process, and plain HTTP to talk to it with."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.e2e import programs

MODEL = programs.MODELS / "digits_cnn.onnx"
VECTORS = programs.MODELS / "digits_cnn.npz"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A server that answers."""

    process: subprocess.Popen[str]
    host: str
    port: int
    grpc: str
    log: Path

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, seconds: float = 20.0
    ) -> Answer:
        """One request on a connection of its own. body: bytes as they are, anything else as JSON."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, content, dict(headers or {}))
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()

    def get(self, path: str, **how: Any) -> Answer:
        return self.ask("GET", path, **how)

    def post(self, path: str, body: Any, **how: Any) -> Answer:
        return self.ask("POST", path, body, **how)

    def raw(self, data: bytes, seconds: float = 5.0) -> bytes:
        """Sends bytes and reads until the other end closes."""
        with socket.create_connection((self.host, self.port), timeout=seconds) as connection:
            got = b""
            try:
                connection.sendall(data)
                while piece := connection.recv(65536):
                    got += piece
            except (ConnectionResetError, BrokenPipeError):
                pass
            return got

    def resident_bytes(self) -> int:
        fields = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmRSS:"))

    def logged(self) -> list[Any]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def repository(folder: Path) -> Path:
    """A repository with the digits model and a circuit."""
    for name, source in (("digits", MODEL), ("bell", programs.BELL)):
        place = folder / name / "1"
        place.mkdir(parents=True)
        shutil.copy(source, place / f"model{source.suffix}")
    return folder


def make_keys(file: Path, rows: Mapping[str, str], tenants: str = "") -> dict[str, dict[str, str]]:
    """A file of keys, and for each name the headers that let it in. rows: name to roles and what else its line says."""
    lines, headers = [tenants], {}
    for name, row in rows.items():
        roles, _, more = row.partition(" ")
        made = programs.ok("serve", "--make-key", name, "--roles", roles, "--json").json()
        headers[name] = {"Authorization": f"Bearer {made['key']}"}
        lines.append(f"{made['line']} {more}")
    file.write_text("\n".join(lines) + "\n")
    return headers


def launch(folder: Path, *words: programs.Word, http: str = "127.0.0.1:0") -> Server:
    """Starts a server; it answers when this returns. http: where it listens, by default at any port that is free."""
    log = folder / f"log-{len(list(folder.glob('log-*')))}.txt"
    errors: IO[str]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(word) for word in (programs.CLI, "serve", "--json", "--http", http, *words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=programs.environment(),
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    told = json.loads(line or "{}")
    if not told.get("ok"):
        process.wait(timeout=20)
        process.stdout.close()
        raise AssertionError(f"{line}\n{log.read_text()}")
    host, _, port = told["http"].rpartition(":")
    return Server(process, host, int(port), told.get("grpc", ""), log)


def stop(server: Server, how: signal.Signals = signal.SIGTERM) -> int:
    """Ends a server and gives its exit code."""
    server.process.send_signal(how)
    code = server.process.wait(timeout=60)
    if server.process.stdout is not None:
        server.process.stdout.close()
    return code


def reload(server: Server) -> None:
    """Asks a server to read its files again, and waits until it has tried."""

    def tries() -> int:
        return sum(line["event"] in ("reloaded", "not reloaded") for line in server.logged())

    before, deadline = tries(), time.monotonic() + 5
    server.process.send_signal(signal.SIGHUP)
    while tries() == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def serving(folder: Path, *words: programs.Word, http: str = "127.0.0.1:0") -> Iterator[Server]:
    """A server for the length of a block; it must end well."""
    server = launch(folder, *words, http=http)
    try:
        yield server
        assert server.process.poll() is None, server.log.read_text()
    finally:
        if server.process.poll() is None:
            assert stop(server) == 0, server.log.read_text()
