"""A network of its own whose packets are lost, late, doubled and out of order, for whatever runs inside.

    unshare --user --map-root-user --net python -m tests.e2e.lossy SCENARIO

The kernel's `netem` is not everywhere, so the link is a tunnel device and a thread: whoever connects to `FAR` reaches
what listens on `NEAR`, each packet by way of the thread.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager

from tests.e2e import programs, servers

NEAR, FAR = "10.9.0.1", "10.9.0.2"
_ENTER = ("unshare", "--user", "--map-root-user", "--net")


def is_possible() -> bool:
    """Whether this machine lets us have such a network."""
    try:
        made = subprocess.run([*_ENTER, sys.executable, "-m", "tests.e2e.lossy", "nothing"], capture_output=True,
                              cwd=programs.REPOSITORY, timeout=60, check=False)  # fmt: skip
    except OSError:
        return False
    return made.returncode == 0


def inside(scenario: str) -> dict[str, Any]:
    """What a scenario of this file tells."""
    made = subprocess.run([*_ENTER, sys.executable, "-m", "tests.e2e.lossy", scenario], capture_output=True, text=True,
                          cwd=programs.REPOSITORY, timeout=300, check=False)  # fmt: skip
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert isinstance(told, dict)
    return told


@dataclass
class Link:
    """The way between. Each packet is lost with probability `loss`, doubled with `twice`, and late by up to `late`."""

    loss: float = 0.0
    twice: float = 0.0
    late: float = 0.0  # seconds
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self._device, 0x400454CA, struct.pack("16sH22x", b"lossy", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            for name, address in ((b"lossy", NEAR), (b"lo", "127.0.0.1")):
                for request, value in ((0x8916, address), (0x891C, "255.255.255.0")):  # SIOCSIFADDR, SIOCSIFNETMASK
                    packed = struct.pack("16sHH4s8x8x", name, socket.AF_INET, 0, socket.inet_aton(value))
                    fcntl.ioctl(any_socket, request, packed)
                fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH22x", name, 0x41))  # SIOCSIFFLAGS: up and running
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self) -> None:
        draw = random.Random(1)
        waiting: list[tuple[float, int, bytes]] = []
        while True:
            pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            if select.select([self._device], [], [], pause)[0]:
                packet = os.read(self._device, 65536)
                if packet[0] >> 4 != 4:
                    continue  # the kernel asks for neighbours of IPv6
                self.seen["packets"] += 1
                if draw.random() < self.loss:
                    self.seen["lost"] += 1
                    continue
                # To the other end: sums over both addresses stay what they are.
                turned = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                for _ in range(1 + (draw.random() < self.twice)):
                    due = time.monotonic() + self.late * draw.random()
                    heapq.heappush(waiting, (due, self.seen["packets"], turned))
            while waiting and waiting[0][0] <= time.monotonic():
                os.write(self._device, heapq.heappop(waiting)[2])


def infer(server: servers.Server, headers: dict[str, str], vectors: Any, row: int) -> str:
    """What became of one inference: `right`, `wrong`, or the name of a failure that its caller was told."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": vectors["in_x"][row].ravel().tolist()}
    try:
        got = server.ask("POST", "/v2/models/digits/infer", {"inputs": [tensor]}, headers, seconds=30)
    except OSError as error:
        return type(error).__name__
    if got.status != 200:
        return str(got.status)
    logits = np.asarray(got.json()["outputs"][0]["data"])
    return "right" if np.allclose(logits, vectors["out_logits"][row], atol=1e-4) else "wrong"


def program() -> tuple[skerry.Circuit, dict[str, Any], list[float]]:
    """A circuit, what is asked of it, and the answer."""
    circuit = skerry.Circuit(3).ry(0.4, 0).cx(0, 1).cx(1, 2)
    observables = ["Z0", "Z1 Z2"]
    due = skerry.run(circuit, observables=[skerry.Observable.parse(text, 3) for text in observables]).expectations
    return circuit, {"observables": observables}, list(due)


def execute(config: EdgeExecutionConfig) -> str:
    """The same of an execution at the endpoint."""
    circuit, ask, due = program()
    with EdgeExecutionManager(config) as manager:
        try:
            done = manager.compile_and_execute(circuit, ask)
        except (skerry.Unavailable, skerry.DeadlineExceeded) as error:
            return type(error).__name__
    return "right" if done.execution_method == "cloud" and np.allclose(done.expectations, due) else "wrong"


class Scenarios:
    """Each ends by itself; what it gives is printed."""

    def __init__(self, link: Link, folder: Path) -> None:
        self.link = link
        self.folder = folder
        self.headers = servers.make_keys(self.folder / "keys.txt", {"one": "infer,circuits,read"})["one"]
        with np.load(servers.VECTORS) as vectors:
            self.vectors = dict(vectors)

    def _config(self, port: int, **more: Any) -> EdgeExecutionConfig:
        key = self.headers["Authorization"].removeprefix("Bearer ")
        return EdgeExecutionConfig(max_memory_mb=0, enable_caching=False, cloud_endpoint=f"http://{FAR}:{port}",
                                   cloud_api_key=key, **more)  # fmt: skip

    def _load(self, number: int) -> dict[str, Any]:
        words = ("--keys", self.folder / "keys.txt", "--model-repository", servers.repository(self.folder))
        with servers.serving(self.folder, *words, http=f"{NEAR}:0") as server:
            far = servers.Server(server.process, FAR, server.port, "", server.log)
            rows = len(self.vectors["in_x"])
            with ThreadPoolExecutor(16) as pool:
                inferred = pool.map(lambda i: infer(far, self.headers, self.vectors, i % rows), range(number))
                config = self._config(server.port, cloud_timeout=30)
                executed = pool.map(lambda _: execute(config), range(number // 5))
                return {"inferred": Counter(inferred), "executed": Counter(executed), "link": self.link.seen}

    def nothing(self) -> dict[str, Any]:
        return {}

    def one_percent(self) -> dict[str, Any]:
        self.link.loss, self.link.twice, self.link.late = 0.01, 0.01, 0.005
        return self._load(400)

    def five_percent(self) -> dict[str, Any]:
        self.link.loss, self.link.twice, self.link.late = 0.05, 0.02, 0.01
        return self._load(200)

    def cut(self) -> dict[str, Any]:
        """The link goes away and comes back, while the server and both clients stay."""
        words = ("--keys", self.folder / "keys.txt", "--model-repository", servers.repository(self.folder))
        with servers.serving(self.folder, *words, http=f"{NEAR}:0") as server:
            far = servers.Server(server.process, FAR, server.port, "", server.log)
            config = self._config(server.port, cloud_timeout=1)
            before = [execute(config), infer(far, self.headers, self.vectors, 0)]
            self.link.loss = 1.0
            meanwhile = [execute(config) for _ in range(3)]
            self.link.loss = 0.0
            after = [execute(config), infer(far, self.headers, self.vectors, 1)]
            alive = server.process.poll() is None
        return {"before": before, "meanwhile": meanwhile, "after": after, "alive": alive, "link": self.link.seen}


def main() -> int:
    ctypes.CDLL(None).prctl(1, 9)  # ends with who started it
    with tempfile.TemporaryDirectory() as folder:
        told = getattr(Scenarios(Link(), Path(folder)), sys.argv[1])()
        print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
