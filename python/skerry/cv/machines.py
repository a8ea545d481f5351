"""Batches on several machines: a worker that computes for others, and a strategy that shares a batch among workers.

On each machine, with the same SKERRY_WORKER_TOKEN in the environment of all:

    python -m skerry.cv.machines --host 10.0.0.7 --port 8765

and where the training runs:

    cv.register_strategy("machines", Machines(["http://10.0.0.7:8765", "http://10.0.0.8:8765"]))
    samples = generator.generate_threaded(z, strategy="machines")
"""

import argparse
import hmac
import io
import json
import os
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skerry
from skerry.cv.engines import EnginePool, EngineSettings
from skerry.cv.generator import QuantumSFGenerator

Array = NDArray[np.float64]
MOST_BYTES = 64 << 20  # of a request or an answer
KINDS = 8  # networks of which a worker keeps engines
TOKEN = "SKERRY_WORKER_TOKEN"


def packed(settings: EngineSettings | None = None, **arrays: Array) -> bytes:
    """Arrays, and the settings of a network, as bytes; nothing in them is ever run."""
    buffer = io.BytesIO()
    if settings is not None:
        arrays["settings"] = np.frombuffer(json.dumps(settings._asdict()).encode(), np.uint8)
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpacked(body: bytes, *names: str) -> list[Array]:
    """The arrays of those names. Errors: InvalidArgument for bytes that packed() did not make."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise skerry.LimitExceeded(f"more than {MOST_BYTES} bytes of arrays; send smaller batches")
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except skerry.Error:
        raise
    except (MemoryError, ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise skerry.InvalidArgument(f"not a batch for a worker: {error}") from None


class Worker:
    """Computes batches: settings, parameters and latents in, samples and the leak out. From any number of threads."""

    def __init__(self) -> None:
        self._pools: dict[EngineSettings, EnginePool] = {}

    def answer(self, body: bytes) -> bytes:
        """What a request's bytes ask for. Errors: those of the generator, and InvalidArgument."""
        text, parameters, z = unpacked(body, "settings", "parameters", "z")
        try:
            settings = EngineSettings(**json.loads(text.tobytes()))
            pool = self._pool(settings)
            engine = pool.mine()
            engine.set_parameters(np.ascontiguousarray(parameters, np.float64))
            z = np.ascontiguousarray(z, np.float64)
        except (TypeError, ValueError) as error:
            raise skerry.InvalidArgument(f"not a network and a batch: {error}") from None
        if z.ndim != 2 or z.shape[1] != settings.latent:
            raise skerry.TypeMismatch(f"latents of shape {z.shape}; send [batch, {settings.latent}]")
        samples, leak = engine.generate(z, "threading", 0)
        return packed(samples=samples, leak=np.array(leak))

    def _pool(self, settings: EngineSettings) -> EnginePool:
        pool = self._pools.get(settings)
        if pool is None:
            if len(self._pools) >= KINDS:
                self._pools.clear()
            pool = self._pools[settings] = EnginePool("native", settings)
        return pool


class _Handler(BaseHTTPRequestHandler):
    worker: Worker
    token: str
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        """One batch."""
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            return self._reply(401, b"another token")
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return self._reply(413, f"send a Content-Length of at most {MOST_BYTES}".encode())
        try:
            return self._reply(200, self.worker.answer(self.rfile.read(int(length))))
        except skerry.Error as error:
            return self._reply(400, str(error).encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.close_connection = self.close_connection or status != 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a worker says what it does not by the request."""


def worker_server(host: str = "127.0.0.1", port: int = 0, token: str = "") -> ThreadingHTTPServer:
    """A worker that listens; serve_forever() lets it work. Errors: InvalidArgument for a network without a token."""
    if not token and host not in ("127.0.0.1", "::1", "localhost"):
        raise skerry.InvalidArgument(f"a worker on {host} needs a token; set {TOKEN}")
    handler = type("Handler", (_Handler,), {"worker": Worker(), "token": token})
    return ThreadingHTTPServer((host, port), handler)


class Machines:
    """A strategy: a batch is cut into one part for each worker, in order, and the parts are computed at once.

    The samples are the same bits as here where the CPUs are of one kind. A worker that fails fails the call, so that
    generate_threaded() falls back to sequential.
    """

    def __init__(self, urls: Sequence[str], token: str | None = None, timeout: float = 60.0) -> None:
        if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
            raise skerry.InvalidArgument(f"workers {list(urls)}; pass one URL or more, http://HOST:PORT")
        self.urls = list(urls)
        self.timeout = timeout
        self._token = os.environ.get(TOKEN, "") if token is None else token
        #: Samples that each worker has computed.
        self.samples = dict.fromkeys(self.urls, 0)

    def __call__(self, generator: Any, z: Any) -> Array:
        """Samples of [batch, modes]; NumPy in and out."""
        if not isinstance(generator, QuantumSFGenerator) or generator.engine != "native":
            raise skerry.InvalidArgument("workers compute QuantumSFGenerator on its native engine")
        parts = np.array_split(np.asarray(z, np.float64), len(self.urls))
        with ThreadPoolExecutor(len(self.urls)) as pool:
            asked = [pool.submit(self._ask, url, generator, part) for url, part in zip(self.urls, parts, strict=True)]
            return np.concatenate([one.result() for one in asked])

    def _ask(self, url: str, generator: QuantumSFGenerator, z: Array) -> Array:
        body = packed(generator.settings, parameters=generator.parameters, z=z)
        request = urllib.request.Request(url, body, {"Authorization": f"Bearer {self._token}"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                answer = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"worker {url} refused: {error.read(1000).decode(errors='replace')}") from None
        samples, _ = unpacked(answer, "samples", "leak")
        if samples.shape != (len(z), generator.n_modes):
            raise RuntimeError(f"worker {url} gave samples of shape {samples.shape}")
        self.samples[url] += len(z)
        return samples


def main() -> None:
    """A worker on the command line."""
    parser = argparse.ArgumentParser(prog="python -m skerry.cv.machines", description="Computes batches for others.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    arguments = parser.parse_args()
    with worker_server(arguments.host, arguments.port, os.environ.get(TOKEN, "")) as server:
        print(f"http://{arguments.host}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
