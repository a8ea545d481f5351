"""What is one caller's is not another's: models, regions of shared memory, jobs, allowances."""

from __future__ import annotations

import http.client
import json
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import tritonclient.grpc as grpc_client
    import tritonclient.http as http_client
from tritonclient.utils import InferenceServerException

from tests.e2e import servers
from tests.e2e.servers import Server
from tests.e2e.test_serve_circuits import JOBS, long_circuit
from tests.e2e.test_serve_workers import until

KEYS = {
    "boss": "admin",
    "limited": "admin models=digits",
    "reader": "read,infer models=digits",
    "first": "admin tenant=acme",
    "second": "infer tenant=acme",
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, dict[str, str]]]]:
    folder = tmp_path_factory.mktemp("owners")
    headers = servers.make_keys(folder / "keys", KEYS, "tenant acme requests=1e6/h")
    models = servers.repository(folder / "models")
    words = ("--model-repository", models, "--keys", folder / "keys", "--grpc", "127.0.0.1:0")
    with servers.serving(folder, *words) as running:
        yield running, headers


def refused(call: Any) -> str:
    with pytest.raises(InferenceServerException) as caught:
        call()
    return str(caught.value.status())


def test_a_key_of_some_models_neither_moves_nor_sees_the_others(
    keyed: tuple[Server, dict[str, dict[str, str]]],
) -> None:
    server, headers = keyed
    limited = headers["limited"]
    for verb in ("unload", "load"):
        assert server.post(f"/v2/repository/models/bell/{verb}", {}, headers=limited).status == 403
        assert server.post(f"/v2/repository/models/nobody/{verb}", {}, headers=limited).status == 403
        assert server.post(f"/v2/repository/models/digits/{verb}", {}, headers=limited).status == 200
    assert server.get("/v2/models/bell/ready", headers=headers["boss"]).status == 200

    def names(who: str) -> tuple[set[str], set[str]]:
        rows = server.post("/v2/repository/index", {}, headers=headers[who]).json()
        text = server.get("/metrics", headers=headers[who]).body.decode()
        return {row["name"] for row in rows}, set(re.findall(r'model="(\w+)"', text))

    assert names("boss") == ({"digits", "bell"},) * 2
    assert names("limited") == names("reader") == ({"digits"},) * 2
    with grpc_client.InferenceServerClient(server.grpc) as client:
        assert refused(lambda: client.unload_model("bell", headers=lower(limited))) == "StatusCode.PERMISSION_DENIED"
        assert refused(lambda: client.load_model("bell", headers=lower(limited))) == "StatusCode.PERMISSION_DENIED"
        index = client.get_model_repository_index(headers=lower(limited)).models
        assert [row.name for row in index] == ["digits"]


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def regions(client: Any, headers: dict[str, str]) -> int:
    status = client.get_system_shared_memory_status(headers=headers)
    return len(status if isinstance(status, list) else status.regions)


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_region_of_shared_memory_is_there_for_its_owner_alone(
    keyed: tuple[Server, dict[str, dict[str, str]]], kind: str
) -> None:
    server, headers = keyed
    tools: Any = http_client if kind == "http" else grpc_client
    path = Path("/dev/shm") / f"skerry-owners-{os.getpid()}"
    path.write_bytes(b"\0" * 4096)
    x = np.random.default_rng(1).random((1, 1, 8, 8), dtype=np.float32)

    def infer(who: str, lies: str | None, goes: str | None) -> Any:
        given = tools.InferInput("x", [1, 1, 8, 8], "FP32")
        wanted = tools.InferRequestedOutput("logits")
        if lies is None:
            given.set_data_from_numpy(x)
        else:
            given.set_shared_memory(lies, x.nbytes)
        if goes is not None:
            wanted.set_shared_memory(goes, 40, 1024)
        return client.infer("digits", [given], outputs=[wanted], headers=lower(headers[who]))

    try:
        with tools.InferenceServerClient(f"{server.host}:{server.port}" if kind == "http" else server.grpc) as client:
            boss, first = lower(headers["boss"]), lower(headers["first"])
            client.register_system_shared_memory("region", "/" + path.name, 4096, headers=boss)
            for who in ("reader", "limited", "first", "second"):
                refused(lambda who=who: infer(who, "region", None))
                refused(lambda who=who: infer(who, None, "region"))
            assert path.read_bytes() == b"\0" * 4096
            assert regions(client, first) == 0
            client.unregister_system_shared_memory(headers=first)  # all of one's own
            infer("boss", None, "region")
            assert path.read_bytes() != b"\0" * 4096
            # A tenant's keys share what one of them registered, under a name that may be another's too.
            client.register_system_shared_memory("region", "/" + path.name, 2048, headers=first)
            infer("second", "region", "region")
            client.unregister_system_shared_memory("region", headers=first)
            refused(lambda: infer("second", "region", None))
            infer("boss", "region", None)
            client.unregister_system_shared_memory(headers=boss)
    finally:
        path.unlink()


def test_jobs_on_disk_are_for_the_server_s_user_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with servers.serving(tmp_path, "--jobs", tmp_path / "jobs") as server:
            job = server.post("/v2/circuits/jobs", {"program": "OPENQASM 3.0; qubit q; reset q;"}).json()["id"]
            assert server.get(f"/v2/circuits/jobs/{job}/result?wait=20").status == 200
            modes = {file.suffix: file.stat().st_mode & 0o777 for file in (tmp_path / "jobs").iterdir()}
            assert modes[".done"] == 0o600 and set(modes.values()) == {0o600}
            assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


def test_shots_are_given_back_when_the_queue_is_full_and_when_a_job_is_cancelled_before_it_starts(
    tmp_path: Path,
) -> None:
    headers = servers.make_keys(tmp_path / "keys", {"ann": "circuits tenant=t"}, "tenant t shots=1000000/d")["ann"]
    sample = {"program": "OPENQASM 3.0; qubit q; U(0,0,0) q;", "shots": 7}
    with servers.serving(tmp_path, "--keys", tmp_path / "keys") as server:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=20)

        def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            got = connection.getresponse()
            return got.status, json.loads(got.read())

        def taken() -> float:
            return 1e6 - float(ask("GET", "/v2/usage")[1]["shots"]["left"])

        _, first = ask("POST", JOBS, {"program": long_circuit(), "observables": ["Z0"]})
        until(lambda: ask("GET", f"{JOBS}/{first['id']}")[1]["state"] == "running")
        waiting, status = [], 202
        while status == 202:
            status, said = ask("POST", JOBS, sample)
            waiting += [said["id"]] if status == 202 else []
        assert status == 503 and "requests wait" in said["error"], said
        assert len(waiting) == 1000
        refilled = 1e6 / 86400 * 60  # in a minute, which this does not take
        for _ in range(5):
            assert ask("POST", JOBS, sample)[0] == 503
        assert 7000 - refilled < taken() <= 7000
        for job in waiting[:500]:
            assert ask("POST", f"{JOBS}/{job}/cancel")[1]["state"] == "cancelled"
        assert 3500 - refilled < taken() <= 3500
        assert ask("POST", f"{JOBS}/{waiting[0]}/cancel")[1]["state"] == "cancelled"  # again, and given back once
        assert 3500 - refilled < taken() <= 3500
        assert ask("POST", f"{JOBS}/{first['id']}/cancel")[0] == 200
        for job in waiting[500:]:
            assert ask("GET", f"{JOBS}/{job}/result?wait=20")[0] == 200
        assert 3500 - refilled < taken() <= 3500
        connection.close()


def test_a_job_of_many_sets_lets_anothers_run_and_says_the_same(tmp_path: Path) -> None:
    headers = servers.make_keys(tmp_path / "keys", {"long": "circuits", "short": "circuits"})
    gates = "".join(f"ry(a * 0.{w + 1}) q[{w}]; cx q[{w}], q[{(w + 1) % 18}];" for w in range(18)) * 6
    program = f'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[18] q; {gates}'
    sweep = {"program": program, "parameter_sets": [[0.01 * i] for i in range(200)], "observables": ["Z0", "Z3 Z17"]}
    small = {**sweep, "parameter_sets": [[0.5], [0.6]]}
    with servers.serving(tmp_path, "--keys", tmp_path / "keys") as server:

        def submit(who: str, request: Any) -> str:
            return str(server.post(JOBS, request, headers=headers[who]).json()["id"])

        def state(who: str, job: str) -> str:
            return str(server.get(f"{JOBS}/{job}", headers=headers[who]).json()["state"])

        def results(who: str, job: str) -> Any:
            until(lambda: state(who, job) == "done", 60)
            answer = server.get(f"{JOBS}/{job}/result", headers=headers[who]).json()
            return [one["expectations"] for one in answer["results"]]

        first = submit("long", sweep)
        until(lambda: state("long", first) == "running")
        second = submit("short", small)
        meanwhile = results("short", second)
        assert state("long", first) == "running", "the other one's did not wait for its end"
        shared = results("long", first)
        alone = results("long", submit("long", {**sweep, "id": "again"}))
        assert shared == alone, "to the bit"
        assert meanwhile == [alone[50], alone[60]]
        # Stopped while it waits for its turn, it ends at once.
        third = submit("long", sweep)
        until(lambda: state("long", third) == "running")
        other = submit("short", sweep)
        until(lambda: state("short", other) == "running")
        server.post(f"{JOBS}/{third}/cancel", {}, headers=headers["long"])
        until(lambda: state("long", third) == "cancelled")
        assert state("short", other) == "running"
        server.post(f"{JOBS}/{other}/cancel", {}, headers=headers["short"])
