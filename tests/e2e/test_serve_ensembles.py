"""Ensembles: models and circuits that answer one request together, as Triton's configuration says."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

from tests.e2e import programs, servers
from tests.e2e.servers import Server

# <Z> after ry(a), ry(b), cx(0, 1) is cos a and cos a cos b.
CIRCUIT = """OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; qubit[2] q;
ry(a) q[0]; ry(b) q[1]; cx q[0], q[1];"""
GAIN = np.array([0.5, -2.0])
MIX = np.array([[1.0, 0.25, -1.0], [0.5, 2.0, 3.0]])

HYBRID = """
name: "hybrid"  # a layer before the circuit, one behind it, and one beside it
platform: "ensemble"
max_batch_size: 64
input [ { name: "RAW" data_type: TYPE_FP64 dims: [ 2 ] } ]
output [
  { name: "SCORES" data_type: TYPE_FP64 dims: [ 3 ] },
  { name: "BESIDE" data_type: TYPE_FP64 dims: [ 3 ] }
]
ensemble_scheduling {
  step [
    { model_name: "mix"  model_version: -1
      input_map { key: "x" value: "expectations" }
      output_map { key: "y" value: "SCORES" } },
    { model_name: "scale"  model_version: -1
      input_map { key: "x" value: "RAW" }
      output_map { key: "y" value: "angles" } },
    { model_name: "pair"  model_version: 1
      input_map { key: "parameters" value: "angles" }
      output_map { key: "z" value: "expectations" } },
    { model_name: "mix"  model_version: -1
      input_map { key: "x" value: "RAW" }
      output_map { key: "y" value: "BESIDE" } }
  ]
}
"""


def layer(op: str, weight: Any, width: int) -> bytes:
    row = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"])],
        op.lower(),
        [row("x", TensorProto.DOUBLE, ["batch", 2])],
        [row("y", TensorProto.DOUBLE, ["batch", width])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def put(folder: Path, name: str, file: str, content: bytes) -> None:
    place = folder / name / "1"
    place.mkdir(parents=True, exist_ok=True)
    (place / file).write_bytes(content)


def repository(folder: Path) -> Path:
    put(folder, "scale", "model.onnx", layer("Mul", GAIN, 2))
    put(folder, "mix", "model.onnx", layer("MatMul", MIX, 3))
    put(folder, "pair", "model.qasm", CIRCUIT.encode())
    (folder / "hybrid").mkdir()
    (folder / "hybrid" / "config.pbtxt").write_text(HYBRID)
    return folder


def expected(raw: Any) -> Any:
    a, b = (raw * GAIN).T
    return np.stack([np.cos(a), np.cos(a) * np.cos(b)], axis=1) @ MIX


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ensembles")
    words = ("--model-repository", repository(folder / "models"), "--grpc", "127.0.0.1:0")
    with servers.serving(folder, *words) as running:
        yield running


def ask(kind: Any, client: Any, raw: Any, **how: Any) -> Any:
    given = kind.InferInput("RAW", list(raw.shape), "FP64")
    given.set_data_from_numpy(raw)
    return client.infer("hybrid", [given], **how)


def rows(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 2))


@pytest.mark.parametrize("kind", [triton, triton_grpc])
def test_models_and_a_circuit_answer_as_their_formula(server: Server, kind: Any) -> None:
    address = server.grpc if kind is triton_grpc else f"{server.host}:{server.port}"
    with kind.InferenceServerClient(address) as client:
        for count in (1, 3, 64):
            raw = rows(count, count)
            got = ask(kind, client, raw)
            np.testing.assert_allclose(got.as_numpy("SCORES"), expected(raw), atol=1e-10)
            np.testing.assert_allclose(got.as_numpy("BESIDE"), raw @ MIX, atol=1e-12)
        one = ask(kind, client, rows(2, 1), outputs=[kind.InferRequestedOutput("SCORES")])
        assert one.as_numpy("BESIDE") is None and one.as_numpy("SCORES").shape == (2, 3)
        with pytest.raises(InferenceServerException, match="max_batch_size 64"):
            ask(kind, client, rows(65, 0))
        as_dict = {"as_json": True} if kind is triton_grpc else {}
        config = client.get_model_config("hybrid", **as_dict)
        config = config.get("config", config)
        assert config["platform"] == "ensemble" and int(config["max_batch_size"]) == 64
        steps = config["ensemble_scheduling"]["step"]
        assert [step["model_name"] for step in steps] == ["mix", "scale", "pair", "mix"]
        assert steps[2]["input_map"] == {"parameters": "angles"} and str(steps[2]["model_version"]) == "1"
        told = client.get_model_metadata("hybrid", **as_dict)
        assert told["platform"] == "ensemble"
        assert [int(extent) for extent in told["inputs"][0]["shape"]] == [-1, 2]


def test_requests_of_many_are_batched_by_the_members(tmp_path: Path) -> None:
    words = ("--model-repository", repository(tmp_path / "m"), "--batch-delay-us", "3000", "--batches", "4,8")
    with servers.serving(tmp_path, *words) as server:
        wrong: list[str] = []

        def client(number: int) -> None:
            with triton.InferenceServerClient(f"{server.host}:{server.port}") as own:
                for turn in range(20):
                    raw = rows(1, 100 * number + turn)
                    got = ask(triton, own, raw)
                    if not np.allclose(got.as_numpy("SCORES"), expected(raw), atol=1e-10):
                        wrong.append(f"{number} {turn}")

        clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        assert wrong == []
        stats = {row["name"]: row for row in server.get("/v2/models/stats").json()["model_stats"]}
        assert stats["hybrid"]["inference_count"] == stats["hybrid"]["inference_stats"]["success"]["count"] == 160
        assert stats["pair"]["inference_count"] == 160 and stats["mix"]["inference_count"] == 320
        assert stats["pair"]["execution_count"] < 160, "members batch requests of several callers"
        whole, parts = (stats[name]["inference_stats"] for name in ("hybrid", "pair"))
        assert whole["compute_infer"]["ns"] > parts["compute_infer"]["ns"] > 0
        assert 'skerry_requests_total{model="hybrid",version="1"} 160' in server.get("/metrics").body.decode()


def test_what_a_member_refuses_is_told_with_its_step(server: Server) -> None:
    ill = {"inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}]}
    assert "RAW" in server.post("/v2/models/hybrid/infer", ill).json()["error"]
    late = {
        "parameters": {"timeout": 1},
        "inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}],
    }
    refused = server.post("/v2/models/hybrid/infer", late)
    assert refused.status == 504
    told = refused.json()
    assert told["where"].startswith("hybrid/config.pbtxt:") and "step of model" in told["error"]


def test_members_come_and_go_under_traffic(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--model-repository", repository(tmp_path / "m")) as server:
        statuses: list[int] = []
        ended = threading.Event()
        body = {"inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 2], "data": [0.3, 0.4]}]}

        def client() -> None:
            while not ended.is_set():
                statuses.append(server.post("/v2/models/hybrid/infer", body).status)

        clients = [threading.Thread(target=client) for _ in range(3)]
        for one in clients:
            one.start()
        for turn in range(30):
            name = ("pair", "mix", "hybrid", "scale")[turn % 4]
            assert server.post(f"/v2/repository/models/{name}/load", {}).status == 200
        ended.set()
        for one in clients:
            one.join()
        assert len(statuses) > 30 and set(statuses) == {200}
        assert server.post("/v2/repository/models/pair/unload", {}).status == 200
        gone = server.post("/v2/models/hybrid/infer", body)
        assert gone.status == 404 and "pair" in gone.json()["error"]
        assert server.post("/v2/repository/models/pair/load", {}).status == 200
        assert server.post("/v2/models/hybrid/infer", body).status == 200


def test_a_member_that_makes_something_else_now_is_told_and_nobody_falls(tmp_path: Path) -> None:
    folder = repository(tmp_path / "m")
    with servers.serving(tmp_path, "--model-repository", folder) as server:
        body = {"inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 2], "data": [0.3, 0.4]}]}
        assert server.post("/v2/models/hybrid/infer", body).status == 200
        whole = (folder / "mix" / "1" / "model.onnx").read_bytes()
        other = onnx.load_from_string(whole)
        other.graph.output[0].name = other.graph.node[0].output[0] = "elsewhere"
        put(folder, "mix", "model.onnx", other.SerializeToString())
        assert server.post("/v2/repository/models/mix/load", {}).status == 200
        told = server.post("/v2/models/hybrid/infer", body)
        assert told.status == 404 and "no output 'y'" in told.json()["error"]
        put(folder, "mix", "model.onnx", whole)
        assert server.post("/v2/repository/models/mix/load", {}).status == 200
        assert server.post("/v2/models/hybrid/infer", body).status == 200


BAD = {
    "text": ("max_batch_size: 64", "max_batch_size 64", 400, "hybrid/config.pbtxt:4", "':' or '{'"),
    "string": ('name: "RAW"', 'name: "RAW', 400, "hybrid/config.pbtxt:5", "string's end"),
    "field": ("step [", "stride: 2 step [", 501, "hybrid/config.pbtxt:11", "stride"),
    "twice": ("max_batch_size: 64", "max_batch_size: 64 max_batch_size: 2", 400, "pbtxt:4", "twice"),
    "number": ("max_batch_size: 64", "max_batch_size: 6x", 400, "pbtxt:4", "whole number"),
    "datatype": ("TYPE_FP64 dims: [ 2 ]", "TYPE_FP63 dims: [ 2 ]", 400, "pbtxt:5", "FP63"),
    "no model": ('"pair"', '"nobody"', 404, "pbtxt:18", "nobody"),
    "no version": ('"pair"  model_version: 1', '"pair"  model_version: 7', 404, "pbtxt:18", "'7'"),
    "no input": ('key: "parameters"', 'key: "angles"', 400, "pbtxt:18", "'parameters'"),
    "no output": ('key: "z"', 'key: "w"', 404, "pbtxt:18", "no output 'w'"),
    "no source": ('value: "RAW" }\n      output_map { key: "y" value: "angles"',
                  'value: "ROW" }\n      output_map { key: "y" value: "angles"', 400, "pbtxt:15", "nobody makes"),
    "two sources": ('value: "BESIDE"', 'value: "SCORES"', 400, "pbtxt:21", "second time"),
    "circle": ('input_map { key: "x" value: "RAW" }\n      output_map { key: "y" value: "angles" }',
               'input_map { key: "x" value: "expectations" }\n      output_map { key: "y" value: "angles" }',
               400, "pbtxt:12", "circle"),
    "dtype": ("TYPE_FP64 dims: [ 2 ]", "TYPE_FP32 dims: [ 2 ]", 400, "pbtxt:15", "FP32"),
    "shape": ("TYPE_FP64 dims: [ 2 ]", "TYPE_FP64 dims: [ 5 ]", 400, "pbtxt:15", "[-1,5]"),
    "output shape": ("dims: [ 3 ] },", "dims: [ 4 ] },", 400, "pbtxt:7", "[-1,4]"),
    "no maker": ('name: "BESIDE"', 'name: "ELSEWHERE"', 400, "pbtxt:8", "nobody makes output"),
    "itself": ('"pair"  model_version: 1', '"hybrid"  model_version: 1', 400, "pbtxt:18", "hybrid -> hybrid"),
    "deep": ("ensemble_scheduling {", "parameters " + "{ a " * 100, 413, "pbtxt:10", "64 levels"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_configuration_is_refused_by_its_line_and_the_old_one_stays(
    server: Server, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    old, new, status, where, part = BAD[name]
    folder = next(tmp_path_factory.getbasetemp().glob("ensembles*")) / "models" / "hybrid" / "config.pbtxt"
    assert old in HYBRID
    folder.write_text(HYBRID.replace(old, new, 1))
    try:
        refused = server.post("/v2/repository/models/hybrid/load", {})
        told = refused.json()
        assert refused.status == status, told
        assert where in told["where"] and part in told["error"], told
        body = {"inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 2], "data": [0.3, 0.4]}]}
        assert server.post("/v2/models/hybrid/infer", body).status == 200
    finally:
        folder.write_text(HYBRID)
    assert server.post("/v2/repository/models/hybrid/load", {}).status == 200


def test_a_configuration_of_another_kind_of_model_is_none_of_ours(tmp_path: Path) -> None:
    folder = repository(tmp_path / "m")
    (folder / "pair" / "config.pbtxt").write_text('platform: "any" instance_group [ { count: 2 } ]')
    with servers.serving(tmp_path, "--model-repository", folder) as server:
        assert server.get("/v2/health/ready").status == 200
        assert server.get("/v2/models/pair").json()["platform"] == "skerry_circuit"


def through(name: str, member: str, *, given: str, taken: str) -> str:
    """An ensemble of one step."""
    return f"""name: "{name}" platform: "ensemble" max_batch_size: 64
input [ {{ name: "IN" data_type: TYPE_FP64 dims: [ 2 ] }} ]
output [ {{ name: "OUT" data_type: TYPE_FP64 dims: [ 3 ] }} ]
ensemble_scheduling {{ step [ {{ model_name: "{member}" model_version: -1
  input_map {{ key: "{given}" value: "IN" }} output_map {{ key: "{taken}" value: "OUT" }} }} ] }}
"""


def configure(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "config.pbtxt").write_text(text)


def outer_answer(server: Server, raw: Any, **how: Any) -> Any:
    body = {"inputs": [{"name": "IN", "datatype": "FP64", "shape": list(raw.shape), "data": raw.ravel().tolist()}]}
    return server.post("/v2/models/outer/infer", body, **how)


def test_who_may_use_an_ensemble_uses_its_members_through_it(tmp_path: Path) -> None:
    folder = repository(tmp_path / "m")
    configure(folder, "outer", through("outer", "hybrid", given="RAW", taken="SCORES"))
    made = programs.ok("serve", "--make-key", "alice", "--roles", "infer", "--json").json()
    (tmp_path / "keys").write_text(made["line"] + " models=outer\n")
    key = {"X-API-Key": made["key"]}
    with servers.serving(tmp_path, "--model-repository", folder, "--keys", tmp_path / "keys") as server:
        raw = rows(2, 5)
        answer = outer_answer(server, raw, headers=key)
        assert answer.status == 200, answer.body
        got = np.array(answer.json()["outputs"][0]["data"]).reshape(2, 3)
        np.testing.assert_allclose(got, expected(raw), atol=1e-10)
        body = {"inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 2], "data": [0.3, 0.4]}]}
        assert server.post("/v2/models/hybrid/infer", body, headers=key).status == 403


def test_ensembles_within_each_other_are_loaded_and_refused_with_their_way(tmp_path: Path) -> None:
    folder = repository(tmp_path / "m")
    configure(folder, "a_first", through("a_first", "outer", given="IN", taken="OUT"))
    configure(folder, "outer", through("outer", "hybrid", given="RAW", taken="SCORES"))
    with servers.serving(tmp_path, "--model-repository", folder) as server:
        assert server.get("/v2/health/ready").status == 200
        configure(folder, "hybrid", HYBRID.replace('"mix"', '"a_first"', 1))
        refused = server.post("/v2/repository/models/hybrid/load", {})
        assert refused.status == 400
        assert "hybrid -> a_first -> outer -> hybrid" in refused.json()["error"]
        assert refused.json()["where"].startswith("outer/config.pbtxt:")
        raw = rows(1, 6)
        got = np.array(outer_answer(server, raw).json()["outputs"][0]["data"]).reshape(1, 3)
        np.testing.assert_allclose(got, expected(raw), atol=1e-10)


def test_a_drain_that_is_over_takes_no_ensemble_along_that_runs(tmp_path: Path) -> None:
    words = ("--model-repository", repository(tmp_path / "m"), "--batch-delay-us", "2000000", "--drain-seconds", "0.1")
    server = servers.launch(tmp_path, *words, "--grpc", "127.0.0.1:0")
    told: list[str] = []

    def client() -> None:
        with triton_grpc.InferenceServerClient(server.grpc) as own:
            try:
                ask(triton_grpc, own, rows(1, 1))
                told.append("answered")
            except InferenceServerException as error:
                told.append(str(error.status()))

    body = {"inputs": [{"name": "RAW", "datatype": "FP64", "shape": [1, 2], "data": [0.3, 0.4]}]}
    text = json.dumps(body).encode()
    head = f"POST /v2/models/hybrid/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(text)}\r\n\r\n"
    one = threading.Thread(target=client)
    one.start()
    with socket.create_connection((server.host, server.port)) as other:
        other.sendall(head.encode() + text)
        deadline = time.monotonic() + 10
        while 'skerry_queue_length{model="hybrid",version="1"} 2' not in server.get("/metrics").body.decode():
            assert time.monotonic() < deadline
        assert servers.stop(server) == 0, server.log.read_text()  # a crash would be a signal's number
    one.join()
    assert told and told[0] != "answered"
