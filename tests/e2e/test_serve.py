"""skerry serve: NVIDIA's client works against it unchanged; models come, go and are batched."""

from __future__ import annotations

import concurrent.futures
import json
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tritonclient.http as triton

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from tests.e2e import programs, servers
from tests.e2e.servers import Server
from tests.e2e.test_serve_circuits import long_circuit


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    with servers.serving(folder, "--model-repository", servers.repository(folder / "models")) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with triton.InferenceServerClient(f"{server.host}:{server.port}") as made:
        yield made


@pytest.fixture(scope="module")
def oracle() -> Any:
    return onnxruntime.InferenceSession(servers.MODEL.read_bytes(), providers=["CPUExecutionProvider"])


def images(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).random((count, 1, 8, 8), dtype=np.float32)


def infer(client: Any, x: Any, binary: bool = True, **how: Any) -> Any:
    given = triton.InferInput("x", list(x.shape), "FP32")
    given.set_data_from_numpy(x, binary_data=binary)
    wanted = [triton.InferRequestedOutput("logits", binary_data=binary)]
    return client.infer("digits", [given], outputs=wanted, **how)


def test_health_and_metadata_are_what_the_client_expects(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("digits") and client.is_model_ready("digits", "1")
    assert not client.is_model_ready("nobody")
    metadata = client.get_server_metadata()
    assert metadata["name"] == "skerry" and "binary_tensor_data" in metadata["extensions"]
    model = client.get_model_metadata("digits")
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 1, 8, 8]}]
    assert model["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}]
    assert client.get_model_config("digits")["max_batch_size"] == 32
    rows = client.get_model_repository_index()
    assert {(row["name"], row["state"]) for row in rows} == {("digits", "READY"), ("bell", "READY")}


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 16])
def test_answers_are_those_of_onnx_runtime(client: Any, oracle: Any, rows: int, binary: bool) -> None:
    x = images(rows, rows)
    got = infer(client, x, binary, request_id="r7")
    assert got.get_response()["id"] == "r7" and got.get_response()["model_version"] == "1"
    np.testing.assert_allclose(got.as_numpy("logits"), oracle.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_without_named_outputs_all_come_as_raw_bytes(client: Any, oracle: Any) -> None:
    x = images(2, 1)
    given = triton.InferInput("x", list(x.shape), "FP32")
    given.set_data_from_numpy(x)
    got = client.infer("digits", [given])
    assert got.get_output("logits")["parameters"]["binary_data_size"] == 2 * 10 * 4
    np.testing.assert_allclose(got.as_numpy("logits"), oracle.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["gzip", "deflate"])
def test_compressed_requests_are_understood(client: Any, oracle: Any, method: str) -> None:
    x = images(4, 2)
    got = infer(client, x, request_compression_algorithm=method)
    np.testing.assert_allclose(got.as_numpy("logits"), oracle.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_a_circuit_of_the_repository_is_a_model(client: Any) -> None:
    np.testing.assert_allclose(client.infer("bell", []).as_numpy("z"), [0.0, 0.0], atol=1e-12)


def test_an_untyped_body_with_nested_data_is_accepted(server: Server) -> None:
    data = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [[[[0.5] * 8] * 8]]}]}
    got = server.post("/v2/models/digits/infer", data)
    assert got.status == 200 and got.json()["outputs"][0]["shape"] == [1, 10]
    assert "inference-header-content-length" not in got.headers


def message(call: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        call()
    return caught.value.status(), caught.value.message()


def test_refusals_name_what_is_wrong(client: Any, server: Server) -> None:
    x = images(1, 3)
    status, text = message(lambda: infer(client, x[:, :, :7]))
    assert status == "400" and "[-1,1,8,8]" in text and "[1,1,7,8]" in text
    given = triton.InferInput("x", [1, 1, 8, 8], "FP64").set_data_from_numpy(x.astype(np.float64))
    status, text = message(lambda: client.infer("digits", [given]))
    assert status == "400" and "FP32" in text and "FP64" in text
    other = triton.InferInput("y", [1, 1, 8, 8], "FP32").set_data_from_numpy(x)
    assert message(lambda: client.infer("digits", [other])) == (
        "400",
        "digits: input 'x' is missing; the model's inputs are 'x'",
    )
    assert message(lambda: client.infer("nobody", [given]))[0] == "404"
    assert message(lambda: client.infer("digits", [given], model_version="9"))[0] == "404"
    good = triton.InferInput("x", [1, 1, 8, 8], "FP32").set_data_from_numpy(x)
    wrong = [triton.InferRequestedOutput("probabilities")]
    assert "logits" in message(lambda: client.infer("digits", [good], outputs=wrong))[1]


def test_statistics_count_every_request_once(client: Any, server: Server) -> None:
    before = client.get_inference_statistics("digits")["model_stats"][0]
    for seed in range(7):
        infer(client, images(2, seed))
    after = client.get_inference_statistics("digits")["model_stats"][0]
    assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 7
    assert after["inference_count"] - before["inference_count"] == 14
    assert after["latency_seconds"]["p50"] > 0
    lines = server.get("/metrics").body.decode().splitlines()
    total = next(line for line in lines if line.startswith('skerry_requests_total{model="digits"'))
    assert float(total.split()[-1]) == after["inference_stats"]["success"]["count"]
    buckets = [float(line.split()[-1]) for line in lines if line.startswith('skerry_request_seconds_bucket{model="dig')]
    assert buckets == sorted(buckets) and buckets[-1] == after["inference_stats"]["success"]["count"]


def test_many_clients_are_batched_and_every_answer_is_its_own(tmp_path: Path, oracle: Any) -> None:
    clients, each = 16, 40
    with servers.serving(
        tmp_path, "--model-repository", servers.repository(tmp_path / "m"), "--batch-delay-us", "2000"
    ) as server:

        def work(number: int) -> int:
            with triton.InferenceServerClient(f"{server.host}:{server.port}") as own:
                for turn in range(each):
                    x = images(1, number * 1000 + turn)
                    expected = oracle.run(None, {"x": x})[0]
                    np.testing.assert_allclose(infer(own, x).as_numpy("logits"), expected, rtol=1e-3, atol=1e-4)
            return each

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            assert sum(pool.map(work, range(clients))) == clients * each
        stats = server.get("/v2/models/digits/stats").json()["model_stats"][0]
        assert stats["inference_stats"]["success"]["count"] == clients * each
        assert stats["inference_count"] == clients * each
        assert any(row["batch_size"] > 1 for row in stats["batch_stats"])


def test_a_model_is_loaded_swapped_and_unloaded_under_traffic(tmp_path: Path, oracle: Any) -> None:
    models = servers.repository(tmp_path / "m")
    with (
        servers.serving(tmp_path, "--model-repository", models) as server,
        triton.InferenceServerClient(f"{server.host}:{server.port}", concurrency=4) as client,
    ):
        stop_at = time.monotonic() + 1.5
        x = images(1, 1)
        expected = oracle.run(None, {"x": x})[0]

        def work(_: int) -> int:
            done = 0
            with triton.InferenceServerClient(f"{server.host}:{server.port}") as own:
                while time.monotonic() < stop_at:
                    np.testing.assert_allclose(infer(own, x).as_numpy("logits"), expected, rtol=1e-3, atol=1e-4)
                    done += 1
            return done

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            counts = pool.map(work, range(3))
            shutil.copytree(models / "digits" / "1", models / "digits" / "2")
            while time.monotonic() < stop_at - 0.2:
                client.load_model("digits")
            assert sum(counts) > 0
        assert client.get_model_metadata("digits")["versions"] == ["1", "2"]
        assert infer(client, x).get_response()["model_version"] == "2"
        (models / "digits" / "2" / "model.onnx").write_bytes(b"not a model")
        assert message(lambda: client.load_model("digits"))[0] == "400"
        assert infer(client, x).get_response()["model_version"] == "2"  # what was served stays
        client.unload_model("digits")
        assert message(lambda: infer(client, x))[0] == "404"
        assert client.is_server_ready()
        assert message(lambda: client.load_model("../m/digits"))[0] in ("400", "404")


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_what_is_brought_along_with_a_load_is_refused_and_not_passed_over(tmp_path: Path, kind: str) -> None:
    models = servers.repository(tmp_path / "models")
    with servers.serving(tmp_path, "--model-repository", models, "--grpc", "127.0.0.1:0") as server:
        tools: Any = triton if kind == "http" else triton_grpc
        with tools.InferenceServerClient(f"{server.host}:{server.port}" if kind == "http" else server.grpc) as client:
            for brought in (
                {"config": '{"max_batch_size": 1}'},
                {"config": "{}", "files": {"file:1/model.onnx": b"A"}},
            ):
                with pytest.raises(InferenceServerException, match="is not taken") as caught:
                    client.load_model("digits", **brought)
                assert caught.value.status() in ("501", "StatusCode.UNIMPLEMENTED")
            with pytest.raises(InferenceServerException, match="unload_dependents"):
                client.unload_model("digits", unload_dependents=True)
            assert client.is_model_ready("digits")
            client.load_model("digits")
            client.unload_model("digits")
            assert not client.is_model_ready("digits")
        load, index = "/v2/repository/models/digits/load", "/v2/repository/index"
        for wrong in (b"[1", b"garbage", b"[]", b'{"parameters": 3}', b'{"parameters": {"unload_dependents": 0}}'):
            assert server.post(load, wrong).status in (400, 501), wrong
        assert server.post(load, {"parameters": {"file:1/model.onnx": "AAAA"}}).status == 501
        assert server.post(load, None).status == 200
        server.post("/v2/repository/models/bell/unload", {})
        for body, names in ((None, 2), ({}, 2), ({"ready": False, "note": True}, 2), ({"ready": True}, 1)):
            assert len(server.post(index, body).json()) == names, body
        for wrong in (b"[1", b"ready", b'{"ready": 1}', b'{"ready": "true"}'):
            assert server.post(index, wrong).status == 400, wrong
        for path in (index, load, "/v2/repository/models/bell/unload"):
            assert server.post(path, {"repository_name": ""}).status == 200, path
            named = server.post(path, {"repository_name": "other"})
            assert named.status == 404 and "no repository 'other'" in named.json()["error"], path


def test_a_full_queue_and_a_hopeless_deadline_are_refused_at_once(tmp_path: Path) -> None:
    with servers.serving(
        tmp_path,
        "--model-repository",
        servers.repository(tmp_path / "m"),
        "--batch-delay-us",
        "300000",
        "--max-queue",
        "2",
    ) as server:
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}]}

        def ask(_: int) -> tuple[int, float]:
            begin = time.monotonic()
            return server.post("/v2/models/digits/infer", body).status, time.monotonic() - begin

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, range(12)))
        assert {status for status, _ in answers} == {200, 503}
        assert min(seconds for status, seconds in answers if status == 503) < 0.1
        late = server.post("/v2/models/digits/infer", {**body, "parameters": {"timeout": 1000}})
        assert late.status == 504 and "time" in late.json()["error"]


def test_keys_decide_who_may_do_what(tmp_path: Path) -> None:
    keys, made = [], {}
    for name, roles, more in (
        ("alice", "infer,read", ""),
        ("carol", "circuits", ""),
        ("root", "admin", ""),
        ("bob", "infer,read", " models=bell"),
        ("fast", "infer,read", " rate=2"),
    ):
        out = programs.ok("serve", "--make-key", name, "--roles", roles, "--json").json()
        made[name] = {"Authorization": f"Bearer {out['key']}"}
        keys.append(out["line"] + more)
        assert out["key"] not in out["line"]
    ring = tmp_path / "keys.txt"
    ring.write_text("# who may come in\n" + "\n".join(keys) + "\n")
    with servers.serving(tmp_path, "--model-repository", servers.repository(tmp_path / "m"), "--keys", ring) as server:
        path = "/v2/models/digits"
        assert server.get("/v2/health/ready").status == 200
        assert server.get(path).status == 401
        assert server.get(path, headers={"Authorization": "Bearer sk-0"}).status == 401
        assert server.get(path, headers=made["alice"]).status == 200
        assert server.get(path, headers=made["bob"]).status == 403
        assert server.get("/v2/models/bell", headers=made["bob"]).status == 200
        assert server.get(path, headers=made["carol"]).status == 403
        circuit = {"program": "OPENQASM 3.0; qubit q; reset q;"}
        assert server.post("/v2/circuits", circuit, headers=made["alice"]).status == 403
        assert server.post("/v2/circuits", circuit, headers=made["carol"]).status == 200
        assert server.post("/v2/repository/models/digits/load", {}, headers=made["alice"]).status == 403
        assert server.post("/v2/repository/models/digits/load", {}, headers=made["root"]).status == 200
        statuses = [server.get(path, headers=made["fast"]).status for _ in range(6)]
        assert statuses[:2] == [200, 200] and 429 in statuses
        job = server.post("/v2/circuits/jobs", circuit, headers=made["carol"]).json()["id"]
        assert server.get(f"/v2/circuits/jobs/{job}", headers=made["root"]).status == 404  # not hers
        ring.write_text(keys[0] + "\n")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while server.get(path, headers=made["root"]).status != 401:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert server.get(path, headers=made["alice"]).status == 200


def test_a_key_is_made_as_the_help_says(tmp_path: Path) -> None:
    example = next(line.strip() for line in programs.ok("serve", "--help").out.splitlines() if ">> keys.txt" in line)
    assert example.startswith("skerry serve --make-key alice ")
    command = example.replace("skerry", f"'{programs.CLI}'", 1)
    made = [
        subprocess.run(["sh", "-c", one], cwd=tmp_path, check=True, capture_output=True, text=True)
        for one in (command, command.replace("alice", "bob"))
    ]
    keys = [done.stderr.split()[-1] for done in made]
    assert all(
        key not in (tmp_path / "keys.txt").read_text() and done.stdout == ""
        for key, done in zip(keys, made, strict=True)
    )
    with servers.serving(tmp_path, "--keys", tmp_path / "keys.txt") as server:
        for name, key in zip(("alice", "bob"), keys, strict=True):
            told = server.get("/v2/usage", headers={"Authorization": f"Bearer {key}"}).json()
            assert told == {"name": name}


def test_an_address_beyond_this_machine_needs_keys(tmp_path: Path) -> None:
    refused = programs.run("serve", "--http", "0.0.0.0:0")
    assert refused.code == 6 and "--keys" in refused.err


def test_logs_are_json_with_the_callers_trace(tmp_path: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with servers.serving(tmp_path, "--log-requests") as server:
        got = server.get("/v2", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        assert got.headers["traceparent"].split("-")[1] == trace
        assert server.get("/v2", headers={"traceparent": "nonsense"}).headers["traceparent"].split("-")[1] != trace
        server.get("/nowhere")
    lines = [line for line in server.logged() if line["event"] == "request"]
    assert [line["status"] for line in lines] == [200, 200, 404]
    assert lines[0]["trace_id"] == trace and lines[0]["path"] == "/v2" and lines[2]["level"] == "warning"


def test_sigterm_lets_requests_in_flight_end(tmp_path: Path) -> None:
    server = servers.launch(
        tmp_path, "--model-repository", servers.repository(tmp_path / "m"), "--batch-delay-us", "700000"
    )
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}]}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.post, "/v2/models/digits/infer", body)
        time.sleep(0.3)
        assert servers.stop(server) == 0
        assert waiting.result().status == 200
    assert [line["event"] for line in server.logged()] == ["draining", "ended"]
    with pytest.raises(ConnectionRefusedError):
        server.get("/v2")


@pytest.mark.parametrize("durable", [False, True])
def test_who_still_waits_when_the_drain_is_over_is_told_so(tmp_path: Path, durable: bool) -> None:
    words = ("--drain-seconds", "3", *(("--jobs", tmp_path / "jobs") if durable else ()))
    server = servers.launch(tmp_path, *words)
    long = {"program": long_circuit(), "observables": ["Z0"]}
    running, queued = (server.post("/v2/circuits/jobs", long).json()["id"] for _ in range(2))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        waiting = [
            pool.submit(server.post, "/v2/circuits", long),
            pool.submit(server.post, "/v2/circuits", long | {"token": "mine"}),
            pool.submit(server.get, f"/v2/circuits/jobs/{running}/result?wait=30"),
            pool.submit(server.get, f"/v2/circuits/jobs/{queued}/result?wait=30"),
        ]
        time.sleep(0.5)
        begin = time.monotonic()
        assert servers.stop(server) == 0
        took = time.monotonic() - begin
        answers = [one.result() for one in waiting]
    for answer in answers:
        assert answer.status == 503 and answer.json()["code"] == "unavailable", answer
        assert int(answer.headers["retry-after"]) >= 1
    assert took > 1.5  # they had their time


def test_head_is_get_without_its_body(server: Server) -> None:
    for path, status in (("/v2/health/live", 200), ("/v2", 200), ("/v2/models/nobody", 404)):
        got, asked = server.ask("HEAD", path), server.get(path)
        assert got.status == asked.status == status
        assert got.body == b"" and int(got.headers["content-length"]) == len(asked.body)
    assert server.ask("HEAD", "/v2/repository/index").status == 405
    job = server.post("/v2/circuits/jobs", {"program": long_circuit(), "observables": ["Z0"]}).json()["id"]
    assert server.ask("HEAD", f"/v2/circuits/jobs/{job}/events").status == 200
    server.post(f"/v2/circuits/jobs/{job}/cancel", {})


def test_a_name_with_a_zero_is_refused_by_a_whole_sentence(server: Server) -> None:
    got = server.get("/v2/models/%00abc")
    assert got.status == 404
    assert got.json()["error"] == "/v2/models/%00abc: no name has a control character"


def test_the_resident_memory_that_is_told_is_that_of_the_moment(server: Server) -> None:
    def told() -> float:
        lines = server.get("/metrics").body.decode().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("skerry_resident_bytes ")))

    assert server.post("/v2/models/digits/infer", b"[" + b" " * (60 << 20)).status == 400
    fields = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmHWM:"))
    assert told() < peak - (40 << 20)


def test_a_folder_that_no_model_can_be_named_by_is_told(tmp_path: Path) -> None:
    models = servers.repository(tmp_path / "m")
    for name in ("my model", "café"):
        shutil.copytree(models / "digits", models / name)
    for name in (".git", "lost+found"):
        (models / name).mkdir()
    with servers.serving(tmp_path, "--model-repository", models) as server:
        rows = {row["name"]: row for row in server.post("/v2/repository/index", {}).json()}
        assert set(rows) == {"digits", "bell", "my model", "café"}
        told = {line["model"]: line["error"] for line in server.logged() if line["event"] == "not loaded"}
        for name in ("my model", "café"):
            assert rows[name]["state"] == "UNAVAILABLE"
            assert "cannot be the name of a model" in rows[name]["reason"] and told[name] == rows[name]["reason"]


def test_python_dash_m_starts_it_too() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "skerry", "serve", "--http", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ok"] is True
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    process.stdout.close()
