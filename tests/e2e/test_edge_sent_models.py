"""A model's weights travel once and are there for who sent them alone; equal questions are answered without them."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skerry import GraphBuilder, Model
from skerry.edge import EdgeExecutionConfig, EdgeExecutor

from tests.e2e import proxies, servers
from tests.e2e.test_edge_outbox import free_port
from tests.e2e.test_serve_telemetry import sample

WIDTH = 400  # of a square of weights: 640 kB that no compression takes away


def dense(seed: int) -> Model:
    g = GraphBuilder("dense")
    x = g.input("x", ["N", WIDTH], "f32")
    weights = np.random.default_rng(seed).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    g.output(g.add("MatMul", [x, g.constant(weights, "w")]), "y")
    return g.build()


def points(seed: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).standard_normal((1, WIDTH)).astype(np.float32)}


def right(executor: EdgeExecutor, model: Model, inputs: dict[str, np.ndarray]) -> Any:
    done = executor.execute_model(model, inputs)
    assert done.execution_method == "cloud"
    np.testing.assert_array_equal(done.outputs["y"], model.session().run(inputs)["y"])
    return done


def events(server: servers.Server) -> dict[str, float]:
    names = ("known", "unknown", "kept", "dropped")
    return {name: sample(server, f'skerry_sent_programs_total{{event="{name}"}}') for name in names}


@pytest.fixture(params=["0", "1"], ids=["in the server", "in a worker"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[servers.Server]:
    with servers.serving(tmp_path, "--workers", request.param, "--sent-models-mb", "1") as running:
        yield running


def test_weights_travel_once_and_again_when_the_server_had_no_room_for_them(server: servers.Server) -> None:
    model, other = dense(1), dense(2)
    with proxies.between(server.port) as (proxy, address):
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=address))

        def sent(asked: Model, seed: int) -> int:
            before = proxy.sent
            done = right(executor, asked, points(seed))
            (part,) = done.parts
            assert abs(proxy.sent - before - part.bytes_sent) < 8192  # heads, names and a question in vain
            return proxy.sent - before

        weights = WIDTH * WIDTH * 4
        assert sent(model, 1) > 0.8 * weights
        assert sent(model, 2) < 0.02 * weights
        # A new executor has no memory of what was sent: the server is asked.
        executor = EdgeExecutor(executor.config)
        assert sent(model, 3) < 0.02 * weights
        assert events(server) == {"known": 2, "unknown": 1, "kept": 1, "dropped": 0}
        assert sent(other, 4) > 0.8 * weights  # one megabyte holds one of them
        assert sent(model, 5) > 0.8 * weights
        assert sent(model, 6) < 0.02 * weights
        assert events(server) == {"known": 3, "unknown": 3, "kept": 3, "dropped": 2}
        assert 0 < sample(server, "skerry_sent_programs_bytes") <= 1 << 20


def test_an_equal_question_is_answered_without_the_endpoint(server: servers.Server) -> None:
    config = EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=f"http://127.0.0.1:{server.port}")
    executor, model = EdgeExecutor(config), dense(1)
    first = right(executor, model, points(1))
    asked = len(server.get("/v2/placements").json()["recent"])
    again = right(executor, dense(1), points(1))  # the same by its content
    assert again.from_cache and not first.from_cache
    assert len(server.get("/v2/placements").json()["recent"]) == asked
    assert executor.get_performance_statistics()["cloud_executions"] == 2
    for different in ((model, points(2)), (dense(2), points(1))):
        assert not right(executor, *different).from_cache
    uncached = EdgeExecutor(
        EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=config.cloud_endpoint, enable_caching=False)
    )
    for _ in range(2):
        assert not right(uncached, model, points(1)).from_cache


def test_a_model_is_not_there_for_another_tenant_and_not_after_a_restart(tmp_path: Path) -> None:
    rows = {"ann": "circuits,read tenant=acme", "abe": "circuits tenant=acme", "bob": "circuits"}
    headers = servers.make_keys(tmp_path / "keys", rows, "tenant acme requests=1e6/h")
    port, model = free_port(), dense(1)
    words = ("--keys", tmp_path / "keys")

    def executor(who: str) -> EdgeExecutor:
        key = headers[who]["Authorization"].removeprefix("Bearer ")
        return EdgeExecutor(
            EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=f"http://127.0.0.1:{port}", cloud_api_key=key)
        )

    def weights_were_sent(who: str, seed: int) -> bool:
        return bool(right(executor(who), model, points(seed)).parts[0].bytes_sent > WIDTH * WIDTH)

    server = servers.launch(tmp_path, *words, http=f"127.0.0.1:{port}")
    assert weights_were_sent("ann", 1) and not weights_were_sent("ann", 2)
    assert not weights_were_sent("abe", 3)  # of the same tenant
    assert weights_were_sent("bob", 4) and not weights_were_sent("bob", 5)
    lasting = executor("ann")
    servers.stop(server, signal.SIGKILL)
    with servers.serving(tmp_path, *words, http=f"127.0.0.1:{port}"):
        done = right(lasting, model, points(6))
        assert done.parts[0].bytes_sent > WIDTH * WIDTH


def test_bytes_of_another_digest_and_unknown_digests_are_refused_by_their_reason(server: servers.Server) -> None:
    program = dense(3).text().encode()
    x = {"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": [0.5] * WIDTH}

    def send(digest: str, bytes_too: bool, path: str = "/v2/circuits") -> servers.Answer:
        named: dict[str, Any] = {"sha256": digest}
        if bytes_too:
            named["binary_data_size"] = len(program)
        head = json.dumps({"program": named, "inputs": [x]}).encode()
        body = head + (program if bytes_too else b"")
        return server.post(path, body, headers={"Inference-Header-Content-Length": str(len(head))})

    digest = hashlib.sha256(program).hexdigest()
    for path in ("/v2/circuits", "/v2/circuits/plan", "/v2/circuits/jobs"):
        unknown = send(digest, False, path)
        assert (unknown.status, unknown.json()["code"], unknown.json()["where"]) == (404, "not_found", "program"), path
        assert "send its bytes" in unknown.json()["hint"]
        wrong = send("0" * 64, True, path)
        assert (wrong.status, wrong.json()["code"]) == (400, "corrupt") and "sha256" in wrong.json()["error"]
    assert send("0" * 64, False).status == 404  # what was refused is not kept under any name
    assert send(digest[:-1], True).json()["where"] == "program.sha256"
    if len(program) < 1 << 20:
        whole = send(digest, True)
        assert (
            whole.status == 200
            and send(digest, False).json()["results"][0]["tensors"] == whole.json()["results"][0]["tensors"]
        )
        job = send(digest, False, "/v2/circuits/jobs").json()["id"]
        got = server.get(f"/v2/circuits/jobs/{job}/result?wait=20").json()
        assert got["results"][0]["tensors"] == whole.json()["results"][0]["tensors"]
        assert send(digest, False, "/v2/circuits/plan").json()["method"] == "graph"


def test_a_server_that_keeps_none_is_sent_the_weights_each_time(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--sent-models-mb", "0") as server:
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=f"http://127.0.0.1:{server.port}"))
        for seed in range(3):
            assert right(executor, dense(1), points(seed)).parts[0].bytes_sent > WIDTH * WIDTH
        assert events(server) == {"known": 0, "unknown": 3, "kept": 0, "dropped": 0}


def test_an_endpoint_of_before_that_knows_no_names_is_sent_the_whole(tmp_path: Path) -> None:
    with servers.serving(tmp_path) as server, proxies.before_names(server.port) as (seen, address):
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=address))
        for seed in range(2):
            right(executor, dense(1), points(seed))
        assert seen == [False, True] * 2  # whether the program's bytes came
