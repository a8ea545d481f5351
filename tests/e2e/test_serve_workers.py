"""Worker processes of the server: the same answers, shut in, and whoever dies takes no more along than its own run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e import programs, servers
from tests.e2e.servers import Server
from tests.e2e.test_serve_circuits import JOBS, RY, long_circuit, wait_for

MANY_GATES = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; ' + "h q[0];" * 5_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.serving(tmp_path_factory.mktemp("workers"), "--workers", "2") as running:
        yield running


def children(server: Server) -> set[int]:
    """Every process that the server started and that has not been waited for."""
    tasks = Path(f"/proc/{server.process.pid}/task")
    return {int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()}


def state_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def rests(process: int) -> bool:
    return state_of(process)["State"].startswith("T")


def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return value


def counted(server: Server) -> dict[str, float]:
    rows = (line.rsplit(" ", 1) for line in server.get("/metrics").body.decode().splitlines() if line[0] != "#")
    return {name: float(value) for name, value in rows if "worker" in name or "sandbox" in name}


def ends(server: Server, cause: str) -> float:
    return counted(server)[f'skerry_worker_ends_total{{cause="{cause}"}}']


def busy(server: Server) -> int | None:
    """The worker that computes, told by the time it has taken."""
    ticks = {child: sum(map(int, Path(f"/proc/{child}/stat").read_text().split()[13:15])) for child in children(server)}
    return next((child for child, taken in ticks.items() if taken > 30), None)


def test_workers_answer_what_the_server_itself_would(server: Server, tmp_path: Path) -> None:
    package = tmp_path / "bell.skerry"
    programs.ok("compile", programs.BELL, "-o", package)
    program = package.read_bytes()
    requests: list[dict[str, Any]] = [
        {"program": RY, "parameter_sets": [{"theta": 0.3}, [1.1]], "observables": ["Z0"], "shots": 50, "seed": 7},
        {"program": RY, "parameters": [0.4], "state": True, "probabilities": [1], "memory": True, "shots": 9},
        {"program": "OPENQASM 3.0; qubit[2] q; reset q[9];"},
        {"program": RY, "parameters": [0.4], "max_memory_mb": 1e-6},
    ]
    with servers.serving(tmp_path) as plain:
        for request in requests:
            here, there = plain.post("/v2/circuits", request), server.post("/v2/circuits", request)
            assert here.status == there.status
            if here.status != 200:
                assert here.json() == there.json()
                continue
            for one, other in zip(here.json()["results"], there.json()["results"], strict=True):
                one.pop("report"), other.pop("report")
                assert one == other
        prices = [one.post("/v2/circuits/plan", requests[0]).json() for one in (plain, server)]
        assert prices[0]["method"] == prices[1]["method"] and prices[0]["fits"] and prices[1]["fits"]
        head = f'{{"program": {{"binary_data_size": {len(program)}}}, "probabilities": true, "binary": true}}'.encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        raw = [one.post("/v2/circuits", head + program, headers=headers) for one in (plain, server)]
    length = "inference-header-content-length"
    assert [one.status for one in raw] == [200, 200]
    assert len({one.body[int(one.headers[length]) :] for one in raw}) == 1
    assert len(server.post("/v2/circuits", requests[0]).json()["results"]) == 2


def test_a_worker_has_no_rights_no_descriptors_and_a_filter(server: Server) -> None:
    assert server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status == 200
    for child in children(server):
        state = state_of(child)
        assert (state["NoNewPrivs"], state["Seccomp"], int(state["CapEff"], 16)) == ("1", "2", 0)
        assert {int(entry.name) for entry in Path(f"/proc/{child}/fd").iterdir()} == {0, 1, 2, 3}
        assert Path(f"/proc/{child}/oom_score_adj").read_text().strip() == "1000"
    assert counted(server)['skerry_sandbox{part="system_calls"}'] == 1


def test_a_run_in_a_worker_is_followed_and_stopped_and_the_worker_stays(server: Server) -> None:
    before = until(lambda: len(found := children(server)) == 2 and found)
    job = server.post(JOBS, {"program": long_circuit(), "state": True}).json()["id"]
    until(lambda: server.get(f"{JOBS}/{job}").json()["progress"] > 0)
    server.post(f"{JOBS}/{job}/cancel", {})
    assert wait_for(server, job, {"cancelled"}, 2)["state"] == "cancelled"
    assert children(server) == before


def test_a_run_whose_worker_dies_is_begun_again_once(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--workers", "1") as server:
        request = {"program": long_circuit(25), "observables": ["Z0"]}
        job = server.post(JOBS, request).json()["id"]
        first = until(lambda: busy(server))
        os.kill(first, signal.SIGKILL)
        got = until(lambda: (answer := server.get(f"{JOBS}/{job}/result?wait=20")).status != 202 and answer, 60)
        assert got.status == 200, got.body
        assert counted(server)["skerry_worker_retries_total"] == 1 and ends(server, "crash") == 1
        assert children(server).isdisjoint({first}), "nobody waited for the dead one"

        job = server.post(JOBS, {"program": long_circuit(), "observables": ["Z0"]}).json()["id"]
        until(lambda: server.get(f"{JOBS}/{job}").json()["progress"] > 0)
        (second,) = children(server)
        os.kill(second, signal.SIGKILL)
        os.kill(until(lambda: (found := busy(server)) != second and found), signal.SIGKILL)
        got = until(lambda: (answer := server.get(f"{JOBS}/{job}/result?wait=20")).status != 202 and answer)
        assert got.status == 503 and got.json()["code"] == "unavailable"
        assert "SIGKILL" in got.json()["error"] and "second time" in got.json()["error"]
        assert server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status == 200


def test_a_run_that_takes_more_memory_than_it_may_ends_alone(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--workers", "2", "--max-memory-mb", "32") as server:
        assert server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status == 200
        if counted(server)['skerry_sandbox{part="memory"}'] == 0:
            pytest.skip("a sanitizer reserves addresses without end, so that none can be forbidden")
        answers: list[Any] = []
        greedy = threading.Thread(
            target=lambda: answers.append(server.post("/v2/circuits", {"program": MANY_GATES}, seconds=60))
        )
        greedy.start()
        others = []
        while greedy.is_alive():
            others.append(server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status)
        greedy.join()
        assert answers[0].status == 507 and answers[0].json()["code"] == "budget_exceeded"
        assert "worker" in answers[0].json()["error"]
        assert len(others) > 1 and set(others) == {200}
        assert ends(server, "memory") == 1


def test_a_stopped_worker_is_ended_at_its_deadline(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--workers", "1", "--max-execution-time", "1") as server:
        assert server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status == 200
        (worker,) = children(server)
        until(partial(rests, worker))
        answers: list[Any] = []
        stuck = threading.Thread(target=lambda: answers.append(server.post("/v2/circuits", {"program": MANY_GATES})))
        begin = time.monotonic()
        stuck.start()
        until(lambda: state_of(worker)["State"].startswith("R"))
        os.kill(worker, signal.SIGSTOP)  # as if it were stuck where it looks at no clock
        stuck.join()
        assert answers[0].status == 504 and 1 < time.monotonic() - begin < 10, answers[0].body
        assert ends(server, "deadline") == 1
        assert server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status == 200
        assert worker not in children(server)


def test_a_worker_without_a_task_is_stopped_and_can_still_die_and_answer(tmp_path: Path) -> None:
    ask = {"program": RY, "parameters": [0.1]}
    with servers.serving(tmp_path, "--workers", "1") as server:
        for _ in range(3):
            assert server.post("/v2/circuits", ask).status == 200
            (worker,) = children(server)
            until(partial(rests, worker))
            assert server.post("/v2/circuits/plan", ask).status == 200
            assert children(server) == {worker}
        os.kill(worker, signal.SIGKILL)
        until(lambda: len(found := children(server)) == 1 and worker not in found)
        assert server.post("/v2/circuits", ask).status == 200


def test_prices_that_wait_for_a_worker_hold_up_nobody_else(tmp_path: Path) -> None:
    models = servers.repository(tmp_path / "m")
    with servers.serving(tmp_path, "--model-repository", models, "--workers", "1") as server:
        job = server.post(JOBS, {"program": long_circuit(), "state": True}).json()["id"]
        until(lambda: server.get(f"{JOBS}/{job}").json()["progress"] > 0)
        ask = {"program": RY, "parameters": [0.1]}
        prices: list[int] = []
        waiting = [
            threading.Thread(target=lambda: prices.append(server.post("/v2/circuits/plan", ask, seconds=60).status))
            for _ in range(2)
        ]
        for one in waiting:
            one.start()
        time.sleep(0.3)
        assert server.post("/v2/repository/models/digits/load", {}).status == 200
        assert prices == []
        server.post(f"{JOBS}/{job}/cancel", {})
        for one in waiting:
            one.join()
        assert prices == [200, 200]


def test_each_owner_has_processes_of_his_own(tmp_path: Path) -> None:
    lines, headers = [], {}
    for name, roles in (("alice", "circuits"), ("bob", "circuits"), ("root", "admin")):
        out = programs.ok("serve", "--make-key", name, "--roles", roles, "--json").json()
        headers[name] = {"Authorization": f"Bearer {out['key']}"}
        lines.append(out["line"] + (" tenant=acme" if name == "bob" else ""))
    ring = tmp_path / "keys.txt"
    ring.write_text("tenant acme qubits=3\n" + "\n".join(lines) + "\n")
    ask = {"program": RY, "parameters": [0.1]}
    words = ("--keys", ring, "--workers", "1", "--untrusted")
    with servers.serving(tmp_path, *words, "others") as server:
        assert server.post("/v2/circuits", ask, headers=headers["root"]).status == 200
        runs = "skerry_worker_runs_total"
        root = {"headers": headers["root"]}

        def count(name: str) -> float:
            text = server.get("/metrics", **root).body.decode()
            return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))

        assert count(runs) == 0  # an admin's runs are the server's own
        seen = set()
        for name in ("alice", "bob"):
            assert server.post("/v2/circuits", ask, headers=headers[name]).status == 200
            seen |= children(server)
        assert count(runs) == 2 and count('skerry_worker_ends_total{cause="owner"}') == 1
        assert len(seen) == 2
        wide = {"program": 'OPENQASM 3.0; include "stdgates.inc"; qubit[4] q; h q;'}
        refused = server.post("/v2/circuits", wide, headers=headers["bob"])
        assert refused.status == 413 and "4 qubits" in refused.json()["error"]
    with servers.serving(tmp_path, *words, "tenant:acme") as server:
        for name in ("alice", "bob", "root"):
            assert server.post("/v2/circuits", ask, headers=headers[name]).status == 200
        text = server.get("/metrics", headers=headers["root"]).body.decode()
        assert "skerry_worker_runs_total 1\n" in text
    refused_words = programs.run("serve", *words, "nobody", "--http", "127.0.0.1:0")
    assert refused_words.code == 2 and "tenant:NAME" in refused_words.err


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_server(tmp_path: Path, how: signal.Signals) -> None:
    server = servers.launch(tmp_path, "--workers", "2")
    assert server.post("/v2/circuits", {"program": RY, "parameters": [0.1]}).status == 200
    started = until(lambda: (found := children(server)) and len(found) == 2 and found)
    assert servers.stop(server, how) == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in started), 5)


def test_jobs_of_workers_outlive_the_server(tmp_path: Path) -> None:
    words = ("--workers", "1", "--jobs", tmp_path / "jobs")
    server = servers.launch(tmp_path, *words)
    request = {"program": RY, "parameters": [0.7], "observables": ["Z0"]}
    jobs = [server.post(JOBS, {"program": long_circuit(8), "observables": ["Z0"]}).json()["id"]]
    jobs += [server.post(JOBS, request).json()["id"] for _ in range(4)]
    servers.stop(server, signal.SIGKILL)
    with servers.serving(tmp_path, *words) as again:
        for job in jobs:
            got = again.get(f"{JOBS}/{job}/result?wait=40", seconds=60)
            assert got.status == 200, got.body
        np.testing.assert_allclose(got.json()["results"][0]["expectations"], [np.cos(0.7)], atol=1e-12)
        assert counted(again)["skerry_worker_runs_total"] >= 5  # nobody says any more who sent them


def images(rows: int) -> dict[str, Any]:
    x = np.random.default_rng(rows).random((rows, 1, 8, 8), dtype=np.float32)
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": list(x.shape), "data": x.ravel().tolist()}]}


def logits(server: Server, rows: int, **how: Any) -> Any:
    got = server.post("/v2/models/digits/infer", images(rows), **how)
    assert got.status == 200, got.body
    return np.array(got.json()["outputs"][0]["data"]).reshape(rows, 10)


def test_a_model_of_strangers_is_read_and_run_apart(tmp_path: Path) -> None:
    models = servers.repository(tmp_path / "m")
    with servers.serving(tmp_path, "--model-repository", models) as plain:
        told = {name: plain.get(f"/v2/models/{name}").json() for name in ("digits", "bell")}
        right = {rows: logits(plain, rows) for rows in (1, 5, 16)}
    words = ("--model-repository", models, "--workers", "1", "--untrusted", "model:digits,model:bell")
    with servers.serving(tmp_path, *words) as server:
        apart = until(lambda: len(found := children(server)) == 3 and found)
        assert {name: server.get(f"/v2/models/{name}").json() for name in told} == told
        for rows, values in right.items():
            np.testing.assert_allclose(logits(server, rows), values, rtol=1e-4, atol=1e-4)
        bell = server.post("/v2/models/bell/infer", {"inputs": []})
        np.testing.assert_allclose(bell.json()["outputs"][0]["data"], [0, 0], atol=1e-12)
        ill = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 9], "data": [0.0] * 72}]}
        assert server.post("/v2/models/digits/infer", ill).status == 400

        wrong: list[str] = []
        ended = threading.Event()

        def client() -> None:
            while not ended.is_set():
                if not np.allclose(logits(server, 5), right[5], rtol=1e-4, atol=1e-4):
                    wrong.append("another answer")

        clients = [threading.Thread(target=client) for _ in range(3)]
        for one in clients:
            one.start()
        for process in apart:
            os.kill(process, signal.SIGKILL)
            time.sleep(0.3)
        ended.set()
        for one in clients:
            one.join()
        assert server.post("/v2/models/bell/infer", {"inputs": []}).status == 200  # nobody had asked for it meanwhile
        assert wrong == [] and until(lambda: children(server).isdisjoint({*apart}))

        damaged = models / "digits" / "1" / "model.onnx"
        damaged.write_bytes(damaged.read_bytes()[:2000])
        refused = server.post("/v2/repository/models/digits/load", {})
        assert refused.status == 400 and refused.json()["error"], refused.body
        np.testing.assert_allclose(logits(server, 1), right[1], rtol=1e-4, atol=1e-4)


def test_a_server_that_is_ended_while_it_measures_the_machine_does_not_finish_that_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside other work the measurement takes most of a minute; who ends the server has seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = servers.launch(tmp_path, "--workers", "1")
    assert servers.stop(server) == 0
    assert not list((tmp_path / "cache").rglob("rates-*")), "the measurement was waited for"
    assert "rates" not in server.log.read_text()
