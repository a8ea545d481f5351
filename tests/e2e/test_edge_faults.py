"""Disks that fail, networks that break and clocks that jump under an edge client and its endpoint: real processes.

No job is lost that was acknowledged, each is run once, every error has a type, and nothing crashes.
"""

from __future__ import annotations

import errno
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager, JobKept, Outbox

from tests.e2e import programs, proxies, servers, shims
from tests.e2e.edge_programs import BELL
from tests.e2e.test_edge_outbox import free_port, jobs, wait_for_jobs
from tests.e2e.test_serve_circuits import JOBS, RY

SEEDS = range(6)


def disks(code: int) -> list[dict[str, Any]]:
    """Ways in which a disk says no."""
    return [{"write": code}, {"write": code, "half": True}, {"sync": code}]


def config_of(address: str, folder: Path, timeout: float = 30.0) -> EdgeExecutionConfig:
    return EdgeExecutionConfig(
        max_memory_mb=0, cloud_endpoint=address, outbox_folder=folder / "outbox", cloud_timeout=timeout
    )


def right(seed: int) -> dict[str, int]:
    return dict(EdgeExecutionManager().compile_and_execute(BELL, {"shots": 200, "seed": seed}).counts)


def test_a_socket_that_takes_and_never_answers_leaves_every_run_in_the_outbox(tmp_path: Path) -> None:
    with servers.serving(tmp_path) as server, proxies.between(server.port) as (proxy, address):
        proxy.silent = True
        words = ("--cloud-endpoint", address, "--outbox", tmp_path / "outbox", "--json")
        told = programs.run(
            "edge", "run", programs.BELL, "--max-memory-mb", "0", "--cloud-timeout", "1", *words, "--shots", "9"
        )
        assert told.code == 5
        assert "waits in the outbox" in told.json()["error"]["message"]
        config = config_of(address, tmp_path, 0.5)
        manager = EdgeExecutionManager(config)
        kept = []
        for seed in SEEDS:  # three that wait, then a breaker that is open, then one that tries and finds silence
            with pytest.raises(JobKept) as one:
                manager.compile_and_execute(BELL, {"shots": 200, "seed": seed})
            kept.append(one.value.id)
            time.sleep(0.3)
        assert proxy.connections > 4
        proxy.silent = False
        sent = {entry.id: entry.state for entry in Outbox(config).send()}
        assert len(sent) == len(kept) + 1 and set(sent.values()) == {"done"}
        assert len(jobs(server)) == len(sent)
    for seed, entry in zip(SEEDS, kept, strict=True):
        assert manager.outbox.result(entry).counts == right(seed)


def test_calls_beside_the_one_that_tries_a_half_open_breaker_are_kept_at_once(tmp_path: Path) -> None:
    with servers.serving(tmp_path) as server, proxies.between(server.port) as (proxy, address):
        proxy.silent = True
        manager = EdgeExecutionManager(config_of(address, tmp_path, 0.4))
        took: list[float] = []

        def ask(seed: int) -> None:
            begin = time.monotonic()
            with pytest.raises(JobKept):
                manager.compile_and_execute(BELL, {"shots": 200, "seed": seed})
            took.append(time.monotonic() - begin)

        for seed in range(3):
            ask(seed)
        time.sleep(0.8)  # longer than the first pause, jitter included
        before, took[:] = proxy.connections, []
        threads = [threading.Thread(target=ask, args=(10 + number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took) == 5 and proxy.connections - before == 1, "one call finds out, nobody else waits"
        assert len(manager.outbox.entries()) == 8


def test_an_endpoint_that_falls_silent_with_the_job_keeps_it_and_runs_it_once(tmp_path: Path) -> None:
    with servers.serving(tmp_path) as server, proxies.between(server.port) as (proxy, address):
        proxy.mute = True
        manager = EdgeExecutionManager(config_of(address, tmp_path, 1.0))
        with pytest.raises(JobKept) as kept:
            manager.compile_and_execute(BELL, {"shots": 200, "seed": 4})
        wait_for_jobs(server, 1)
        proxy.mute = False
        assert [(one.id, one.state) for one in manager.outbox.send()] == [(kept.value.id, "done")]
        assert [job["token"] for job in jobs(server)] == [kept.value.id]
        assert manager.outbox.result(kept.value.id).counts == right(4)


@pytest.mark.parametrize("direction", ["reset_up", "reset_down"])
def test_connections_reset_in_the_middle_of_a_message_cost_attempts_and_nothing_else(
    tmp_path: Path, direction: str
) -> None:
    state = [{"gate": "RY", "qubit": qubit, "angle": 0.1 + qubit} for qubit in range(10)]
    with servers.serving(tmp_path) as server, proxies.between(server.port) as (proxy, address):
        manager = EdgeExecutionManager(config_of(address, tmp_path))
        moments = random.Random(5)
        for number in range(8):
            setattr(proxy, direction, moments.randrange(1, 900))
            proxy.times = number % 3 + 1
            got = manager.compile_and_execute(state, {"initial_state": unit(number), "observables": []})
            expected = EdgeExecutionManager().compile_and_execute(state, {"initial_state": unit(number)})
            np.testing.assert_allclose(got.state, expected.state, atol=1e-12)
        assert proxy.resets >= 8
        assert len(jobs(server)) == 8
        assert manager.outbox.entries() == []
        setattr(proxy, direction, 200)
        proxy.times = 1000
        with pytest.raises(JobKept):
            manager.compile_and_execute(state, {"shots": 5, "seed": 1})
        proxy.times = 0
        assert {one.state for one in Outbox(config_of(address, tmp_path)).send()} == {"done"}


def unit(number: int) -> Any:
    vector = np.zeros(1024, complex)
    vector[number] = 1
    return vector


def test_a_slow_and_delayed_link_changes_no_answer(tmp_path: Path) -> None:
    with servers.serving(tmp_path) as server, proxies.between(server.port, delay=0.2, rate=50_000) as (_, address):
        manager = EdgeExecutionManager(config_of(address, tmp_path))
        for seed in range(3):
            assert manager.compile_and_execute(BELL, {"shots": 200, "seed": seed}).counts == right(seed)
        assert len(jobs(server)) == 3


CLIENT = """
import json, sys
import skerry
from skerry.edge import *
from tests.e2e.edge_programs import BELL
config = EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=sys.argv[1], outbox_folder=sys.argv[2], cloud_timeout=20)
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    try:
        if word == "run":
            asked = {"shots": 200, "seed": int(rest)}
            said = dict(EdgeExecutionManager(config).compile_and_execute(BELL, asked).counts)
        elif word == "send":
            said = [[one.id, one.state, one.finding] for one in Outbox(config).send()]
        elif word == "here":
            manager = EdgeExecutionManager(EdgeExecutionConfig(cache_folder=rest))
            said = dict(manager.compile_and_execute(BELL, {"shots": 200, "seed": 1}).counts)
    except JobKept as kept:
        said = {"kept": kept.id}
    except skerry.Error as error:
        said = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(said), flush=True)
"""


class Client:
    """A process that runs and sends when it is told to, on whatever disk and clock it is given."""

    def __init__(self, address: str, folder: Path, faults: shims.Faults) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, address, str(folder / "outbox")],
            cwd=programs.REPOSITORY, env=programs.environment(faults.environment), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def say(self, words: str) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"it died of {words}: {self.process.wait()}"
        return json.loads(line)

    def end(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0


@pytest.fixture
def faults(tmp_path: Path) -> shims.Faults:
    (tmp_path / "disk").mkdir()
    return shims.faults(tmp_path, tmp_path / "disk")


@pytest.fixture
def client(tmp_path: Path, faults: shims.Faults) -> Iterator[tuple[Client, int]]:
    port = free_port()
    one = Client(f"http://127.0.0.1:{port}", tmp_path / "disk", faults)
    yield one, port
    one.end()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["bad disk", "full disk"])
def test_an_outbox_on_a_disk_that_fails_keeps_what_it_said_it_keeps(
    tmp_path: Path, faults: shims.Faults, client: tuple[Client, int], code: int
) -> None:
    process, port = client
    folder = tmp_path / "disk" / "outbox"
    kept = process.say("run 0")["kept"]
    for fault in disks(code):
        faults.set(**fault)
        told = process.say("run 1")
        assert told["error"] == "IoError" and "so it does not wait in the outbox" in told["text"], told
        assert f"127.0.0.1:{port}" in told["text"] or "connection" in told["text"], told
    assert faults.met() >= 3
    assert [file.suffix for file in folder.iterdir() if not file.name.startswith(".lock")] == [".job"]
    with servers.serving(tmp_path, http=f"127.0.0.1:{port}") as server:
        for fault in disks(code)[::2]:
            faults.set(**fault)
            ((entry, state, finding),) = process.say("send")  # the endpoint answers, and the disk does not take it
            assert (entry, state) == (kept, "waiting") and finding, finding
        faults.set()
        assert [row[:2] for row in process.say("send")] == [[kept, "done"]]
        assert [job["token"] for job in jobs(server)] == [kept]
    assert Outbox(config_of(f"http://127.0.0.1:{port}", tmp_path / "disk")).result(kept).counts == right(0)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["bad disk", "full disk"])
def test_a_cache_on_a_disk_that_fails_costs_no_answer(
    tmp_path: Path, faults: shims.Faults, client: tuple[Client, int], code: int
) -> None:
    process, _ = client
    cache = tmp_path / "disk" / "cache"
    for fault in [*disks(code), {}]:
        faults.set(**fault)
        assert process.say(f"here {cache}") == right(1)
    assert faults.met() >= 3
    assert process.say(f"here {cache}") == right(1)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["bad disk", "full disk"])
def test_a_server_on_a_disk_that_fails_refuses_jobs_and_loses_none(
    tmp_path: Path, faults: shims.Faults, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    disk = tmp_path / "disk"
    audit = disk / "audit.jsonl"
    words = ("--jobs", disk / "jobs", "--audit", audit)
    for name, value in faults.environment.items():
        monkeypatch.setenv(name, value)
    server = servers.launch(tmp_path, *words)
    kept: dict[str, float] = {}

    def submit(number: int) -> servers.Answer:
        body = {"program": RY, "parameters": [0.1 * number], "observables": ["Z0"], "token": f"job-{number}"}
        got = server.post(JOBS, body)
        if got.status in (200, 202):
            kept[got.json()["id"]] = float(np.cos(0.1 * number))
        return got

    try:
        for number in range(3):
            assert submit(number).status == 202
        for number, fault in enumerate(disks(code), 3):
            faults.set(**fault)
            refused = submit(number)
            assert refused.status == 500 and refused.json()["code"] == "io_error", refused.body
            assert server.get("/v2/health/ready").status == 200
            for identity, expected in kept.items():
                got = server.get(f"{JOBS}/{identity}/result?wait=20")
                assert got.status == 200
                np.testing.assert_allclose(got.json()["results"][0]["expectations"], [expected], atol=1e-12)
            faults.set()
            assert submit(number).status in (200, 202)  # sent again: it is the same job
        assert faults.met() >= 3
    finally:
        servers.stop(server, signal.SIGKILL)
    checked = programs.ok("serve", "--verify-audit", audit, "--json").json()
    assert checked["lines"] >= 6
    monkeypatch.undo()
    with servers.serving(tmp_path, *words) as server:
        assert submit(99).status == 202
        for identity, expected in kept.items():
            got = server.get(f"{JOBS}/{identity}/result?wait=20").json()
            np.testing.assert_allclose(got["results"][0]["expectations"], [expected], atol=1e-12)
        assert len(jobs(server)) == 7
    assert programs.ok("serve", "--verify-audit", audit, "--json").json()["lines"] > checked["lines"]


def test_a_clock_that_jumps_under_a_client_costs_no_job(
    tmp_path: Path, faults: shims.Faults, client: tuple[Client, int]
) -> None:
    process, port = client
    year = 365 * 86400
    kept = []
    for seed, ahead in enumerate((0, year, -year, 20 * year, -50 * year)):
        faults.set(ahead=ahead)
        kept.append(process.say(f"run {seed}")["kept"])
    with servers.serving(tmp_path, http=f"127.0.0.1:{port}") as server:
        faults.set(ahead=-year)
        begin = time.monotonic()
        sent = process.say("send")
        assert sorted(row[0] for row in sent) == sorted(kept) and {row[1] for row in sent} == {"done"}
        for seed, ahead in enumerate((year, -year)):
            faults.set(ahead=ahead)
            assert process.say(f"run {10 + seed}") == right(10 + seed)
        assert time.monotonic() - begin < 20, "no time limit is counted by the clock of the day"
        assert len(jobs(server)) == len(kept) + 2
    outbox = Outbox(config_of(f"http://127.0.0.1:{port}", tmp_path / "disk"))
    for seed, entry in enumerate(kept):
        assert outbox.result(entry).counts == right(seed)
    with pytest.raises(skerry.NotFound):
        outbox.result("0" * 32)
