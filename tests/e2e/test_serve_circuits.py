"""Circuits on the server: answers as here; jobs that are followed, stopped, repeated, and outlive the server."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry

from tests.e2e import programs, servers
from tests.e2e.servers import Server

RY = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit[2] q; ry(theta) q[0]; cx q[0], q[1];'
JOBS = "/v2/circuits/jobs"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.serving(tmp_path_factory.mktemp("circuits")) as running:
        yield running


def long_circuit(layers: int = 400) -> str:
    gates = "".join(f"ry(0.{wire + 1}) q[{wire}]; cx q[{wire}], q[{(wire + 1) % 22}];" for wire in range(22))
    return f'OPENQASM 3.0; include "stdgates.inc"; qubit[22] q; {gates * layers}'


def wait_for(server: Server, job: str, states: set[str], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        status = server.get(f"{JOBS}/{job}").json()
        if status["state"] in states:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.02)


def test_answers_are_those_of_a_local_run(server: Server) -> None:
    request = {
        "program": RY,
        "parameter_sets": [{"theta": 0.3}, [1.1]],
        "observables": ["Z0", "0.5*Z0 Z1 - X1"],
        "shots": 500,
        "seed": 7,
        "state": True,
        "probabilities": [1],
        "id": "mine",
    }
    reply = server.post("/v2/circuits", request).json()
    assert reply["id"] == "mine"
    for theta, result in zip((0.3, 1.1), reply["results"], strict=True):
        circuit = skerry.loads(RY)
        assert isinstance(circuit, skerry.Circuit)
        local = skerry.run(circuit, shots=500, seed=7, params={"theta": theta})
        assert result["counts"] == dict(local.counts)
        exact = [np.cos(theta), 0.5]
        np.testing.assert_allclose(result["expectations"], exact, atol=1e-12)
        pairs = np.array(result["state"]["data"]).reshape(result["state"]["shape"])
        np.testing.assert_allclose(pairs, [[np.cos(theta / 2), 0], [0, 0], [0, 0], [np.sin(theta / 2), 0]], atol=1e-12)
        np.testing.assert_allclose(result["probabilities"]["data"], [np.cos(theta / 2) ** 2, np.sin(theta / 2) ** 2])


def test_arrays_come_as_raw_bytes_when_asked_for(server: Server) -> None:
    got = server.post("/v2/circuits", {"program": RY, "parameters": [0.3], "state": True, "binary": True})
    length = int(got.headers["inference-header-content-length"])
    state = json.loads(got.body[:length])["results"][0]["state"]
    assert state["parameters"]["binary_data_size"] == 4 * 2 * 8 == len(got.body) - length
    amplitudes = np.frombuffer(got.body[length:], np.complex128)
    np.testing.assert_allclose(amplitudes, [np.cos(0.15), 0, 0, np.sin(0.15)], atol=1e-12)


def test_a_package_and_a_gate_list_are_programs_too(server: Server, tmp_path: Path) -> None:
    package = tmp_path / "bell.skerry"
    programs.ok("compile", programs.BELL, "-o", package)
    data = package.read_bytes()
    front = json.dumps({"program": {"binary_data_size": len(data)}, "shots": 100, "seed": 1}).encode()
    got = server.post("/v2/circuits", front + data, headers={"Inference-Header-Content-Length": str(len(front))})
    assert set(got.json()["results"][0]["counts"]) == {"00", "11"}
    gates = [{"type": "single_qubit", "gate": "X", "qubit": 1}, {"type": "single_qubit", "gate": "H", "qubit": 0}]
    got = server.post("/v2/circuits", {"program": gates, "observables": ["Z1"]})
    np.testing.assert_allclose(got.json()["results"][0]["expectations"], [-1.0], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "status", "part"),
    [
        ({"program": "OPENQASM 3.0; qubit[2] q; reset q[9];"}, 400, "program"),
        ({"program": "OPENQASM 3.0; qubit[45] q; U(1, 1, 1) q;", "parameters": [], "state": True}, 507, ""),
        ({"parameters": {}}, 400, "theta"),
        ({"parameters": {"phi": 1}}, 400, "phi"),
        ({"observables": ["Q0"]}, 400, "observables"),
        ({"method": "magic"}, 400, "magic"),
        ({"shots": 10**15}, 413, "shots"),
        ({"program": RY, "shotz": 1}, 400, "shotz"),
        ({"token": "x" * 65}, 400, "token"),
        ({"max_memory_mb": 1e-9, "state": True}, 507, ""),
    ],
)
def test_a_refused_run_says_why(server: Server, change: dict[str, object], status: int, part: str) -> None:
    request = {"program": RY, "parameters": {"theta": 1.0}, **change}
    got = server.post("/v2/circuits", request)
    assert got.status == status, got
    assert part in got.json()["error"] and got.json()["code"]


def test_the_plan_tells_the_price_beforehand(server: Server) -> None:
    plan = server.post("/v2/circuits/plan", {"program": long_circuit(), "state": True, "max_memory_mb": 10}).json()
    assert plan["peak_bytes"] >= 2**22 * 16 and plan["fits"] is False


def test_a_job_is_followed_to_its_end(server: Server) -> None:
    submitted = server.post(JOBS, {"program": long_circuit(12), "observables": ["Z0"]})
    assert submitted.status == 202
    job = submitted.json()["id"]
    assert re.fullmatch(r"[0-9a-f]{32}", job) and job in {row["id"] for row in server.get(JOBS).json()["jobs"]}
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", f"{JOBS}/{job}/events")
    stream = connection.getresponse()
    assert stream.headers["Content-Type"] == "text/event-stream"
    events = [part.split("\n") for part in stream.read().decode().split("\n\n") if part]
    connection.close()
    names = [lines[0].removeprefix("event: ") for lines in events]
    statuses = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    assert names[-1] == "done" and set(names[:-1]) <= {"progress"} and len(names) > 2
    fractions = [status["progress"] for status in statuses]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    result = server.get(f"{JOBS}/{job}/result").json()["results"][0]
    circuit = skerry.loads(long_circuit(12))
    assert isinstance(circuit, skerry.Circuit)
    z0 = skerry.Observable.from_sparse_list([("Z", [0], 1.0)], num_qubits=22)
    np.testing.assert_allclose(result["expectations"], skerry.run(circuit, observables=[z0]).expectations, atol=1e-10)


def test_a_running_and_a_waiting_job_are_stopped(server: Server) -> None:
    running = server.post(JOBS, {"program": long_circuit(), "state": True}).json()["id"]
    waiting = server.post(JOBS, {"program": RY, "parameters": [0.1]}).json()["id"]
    wait_for(server, running, {"running"})
    early = server.get(f"{JOBS}/{waiting}/result?wait=0.05")
    assert early.status == 202 and early.json()["state"] == "queued"
    assert server.post(f"{JOBS}/{waiting}/cancel", {}).json()["state"] == "cancelled"
    begin = time.monotonic()
    server.post(f"{JOBS}/{running}/cancel", {})
    wait_for(server, running, {"cancelled"})
    assert time.monotonic() - begin < 1
    assert server.get(f"{JOBS}/{running}/result").status == 499
    assert server.get(f"{JOBS}/{'0' * 32}").status == 404


def test_a_failed_job_keeps_its_error(server: Server) -> None:
    job = server.post(JOBS, {"program": "OPENQASM 3.0; qubit[2] q; reset q[9];"}).json()["id"]
    got = server.get(f"{JOBS}/{job}/result?wait=20")
    assert got.status == 400 and "9" in got.json()["error"]
    status = server.get(f"{JOBS}/{job}").json()
    assert status["state"] == "failed" and status["failure"]["code"] == got.json()["code"]


def test_a_token_runs_once(server: Server) -> None:
    request = {"program": RY, "parameters": [0.1], "shots": 100, "token": "once-1"}
    first = server.post(JOBS, request)
    again = server.post(JOBS, request)
    assert (first.status, again.status) == (202, 200) and first.json()["id"] == again.json()["id"]
    assert server.post(JOBS, {**request, "shots": 101}).status == 400
    at_once = server.post("/v2/circuits", request)  # the same token, now waited for
    assert at_once.json() == server.get(f"{JOBS}/{first.json()['id']}/result").json()


def test_no_acknowledged_job_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    expected: dict[str, float] = {}
    for turn in range(6):
        server = servers.launch(tmp_path, "--jobs", folder)
        for number in range(5):
            theta = 0.1 * (5 * turn + number)
            request = {"program": RY, "parameters": [theta], "observables": ["Z0"], "token": f"t{turn}-{number}"}
            expected[server.post(JOBS, request).json()["id"]] = float(np.cos(theta))
        time.sleep(0.003 * turn)
        servers.stop(server, signal.SIGKILL)
    with servers.serving(tmp_path, "--jobs", folder) as last:
        for job, value in expected.items():
            got = last.get(f"{JOBS}/{job}/result?wait=20")
            np.testing.assert_allclose(got.json()["results"][0]["expectations"], [value], atol=1e-12)
        assert len(last.get(JOBS).json()["jobs"]) == len(expected)
        # A client that did not hear the acknowledgement sends its request again and gets the job that exists.
        again = {"program": RY, "parameters": [0.0], "observables": ["Z0"], "token": "t0-0"}
        assert last.post(JOBS, again).json()["id"] in expected


def test_the_examples_of_the_page_are_true(server: Server) -> None:
    blocks = re.findall(r"^```json\n(.*?)^```$", (programs.REPOSITORY / "docs" / "server.md").read_text(), re.M | re.S)
    request, shown = json.loads(blocks[0]), json.loads(blocks[1])
    got = server.post("/v2/circuits", request).json()
    assert len(got["results"]) == 2 and set(shown["results"][0]) <= set(got["results"][0])
    assert got["results"][0]["counts"] == shown["results"][0]["counts"]
    np.testing.assert_allclose(got["results"][0]["expectations"], shown["results"][0]["expectations"], atol=1e-3)
    status = server.post(JOBS, {**request, "token": "page"}).json()
    assert set(json.loads(blocks[2])) == set(status)


SWEEP = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[%d] q; ry(a) q; %s'


def peak_bytes(server: Server) -> int:
    fields = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmHWM:"))


def test_the_answers_of_many_sets_and_a_program_stay_within_the_server_s_memory(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--max-memory-mb", "100") as server:
        few = {"program": SWEEP % (12, ""), "parameter_sets": [[0.1 * i] for i in range(20)], "state": True}
        got = server.post("/v2/circuits", few).json()["results"]
        assert len(got) == 20
        before = peak_bytes(server)
        refused = {
            "sets": few | {"parameter_sets": [[0.001 * i] for i in range(5000)]},
            "counts": few | {"state": False, "shots": 2000, "parameter_sets": [[0.001 * i] for i in range(5000)]},
            "a program": {
                "program": "OPENQASM 3.0; qubit[2] q; for int i in [0:9000000] { U(0.1,0.2,0.3) q[0]; }",
                "shots": 1,
            },
        }
        for name, request in refused.items():
            answer = server.post("/v2/circuits", request, seconds=60)
            assert answer.status in (413, 507), (name, answer)
            assert answer.json()["error"], name
        assert peak_bytes(server) - before < 200 << 20
        assert server.post("/v2/circuits", few).status == 200


def test_the_time_of_a_request_is_that_of_all_its_sets_and_of_its_program(server: Server) -> None:
    sweep = {
        "program": SWEEP % (18, "".join(f"cx q[{i}], q[{i + 1}]; ry(a) q[{i}];" for i in range(17)) * 4),
        "parameter_sets": [[0.01 * i] for i in range(2000)],
        "observables": ["Z17"],  # which every wire before it has a part in
        "max_execution_time": 0.5,
    }
    begin = time.monotonic()
    late = server.post("/v2/circuits", sweep, seconds=120)
    assert late.status == 504, late.body[:200]
    assert time.monotonic() - begin < 20  # each set alone takes some 10 ms: together a minute
    long = "OPENQASM 3.0; qubit[2] q; for int i in [0:9000000] { U(0.1,0.2,0.3) q[0]; }"
    refused = server.post("/v2/circuits", {"program": long, "shots": 10, "max_execution_time": 0.2})
    assert refused.status == 413 and "time" in refused.json()["hint"]


def test_prices_of_long_circuits_hold_up_nobody_else(server: Server) -> None:
    long = {"program": "OPENQASM 3.0; qubit[4] q; for int i in [0:400000] { U(0.1,0.2,0.3) q[0]; }"}
    padded = RY + " " * 300_000  # such a body is read by the threads that read long ones
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(server.post, "/v2/circuits/plan", long, seconds=120) for _ in range(4)]
        answered = 0
        while sum(one.done() for one in asked) < 2:
            assert server.post("/v2/circuits", {"program": padded, "parameters": [0.1]}).status == 200
            assert server.post(JOBS, {"program": RY, "parameters": [0.1]}).status == 202
            answered += 1
        assert answered > 2
        assert {one.result().status for one in asked} == {200}
