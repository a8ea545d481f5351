"""What a connection refuses by itself is counted, logged and audited like every other answer."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e import servers
from tests.e2e.test_serve_circuits import long_circuit
from tests.e2e.test_serve_telemetry import METRICS, attributes, collecting, sample
from tests.e2e.test_serve_workers import until


def test_who_is_cut_off_by_a_drain_is_on_record_like_everybody(tmp_path: Path) -> None:
    headers = servers.make_keys(tmp_path / "keys", {"ann": "circuits,read"})["ann"]
    long = {"program": long_circuit(), "observables": ["Z0"]}
    with collecting(tmp_path) as collector:
        server = servers.launch(
            tmp_path, "--keys", tmp_path / "keys", "--audit", tmp_path / "audit.jsonl", "--workers", "1",
            "--drain-seconds", "1.5", "--otlp-endpoint", collector.endpoint,
        )  # fmt: skip

        def told(name: str) -> float:
            lines = server.get("/metrics", headers=headers).body.decode().splitlines()
            return next(float(line.split()[-1]) for line in lines if line.startswith(name))

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            runs = [pool.submit(server.post, "/v2/circuits", long, headers=headers) for _ in range(2)]
            until(lambda: told("skerry_http_connections") == 3 and told('skerry_workers{state="busy"}') == 1)
            time.sleep(0.5)  # these hold the threads on which the price would be asked for
            price = pool.submit(server.post, "/v2/circuits/plan", long, headers=headers)
            until(lambda: told("skerry_http_connections") == 4)
            time.sleep(0.5)
            assert servers.stop(server) == 0
            answers = [one.result() for one in (*runs, price)]
        (*_, last) = collector.messages("/v1/metrics", METRICS)
    assert [one.status for one in answers] == [503] * 3
    logged = {line["span_id"]: line for line in server.logged() if line["event"] == "request"}
    assert len(logged) == 3  # each once, though what was stopped ended after it
    for one, path in zip(answers, ("/v2/circuits", "/v2/circuits", "/v2/circuits/plan"), strict=True):
        line = logged[one.headers["traceparent"].split("-")[2]]
        assert (line["level"], line["method"], line["path"]) == ("error", "POST", path)
        assert (line["status"], line["key"]) == (503, "ann") and line["us"] > 0
        assert int(one.headers["retry-after"]) >= 1
    audited = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(one["key"], one["what"], one["status"]) for one in audited] == [("ann", "POST /v2/circuits/plan", 503)]
    metrics = {one["name"]: one for one in last["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}
    points = metrics["skerry.http.answers"]["sum"]["dataPoints"]
    told_at = datetime.fromtimestamp(int(points[0]["timeUnixNano"]) / 1e9, UTC)
    if told_at >= max(datetime.fromisoformat(line["time"]) for line in logged.values()):  # the last one has 2 s to go
        assert {attributes(point)["class"]: int(point["asInt"]) for point in points}["5xx"] == 3


def test_a_body_that_is_too_large_is_on_record_like_every_refusal(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--max-body-mb", "1") as server:
        got = server.raw(b"POST /v2/circuits HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 70_000)
        assert got.startswith(b"HTTP/1.1 413 ") and b"traceparent: " in got
        assert sample(server, 'skerry_http_answers_total{class="4xx"}') == 1
        (line,) = (line for line in server.logged() if line["event"] == "request")
        assert (line["status"], line["path"]) == (413, "/v2/circuits")


def test_who_comes_when_the_bodies_of_others_fill_the_room_is_on_record_too(tmp_path: Path) -> None:
    """512 MiB of bodies may wait; nine of 63 MB each, of which the last bytes do not come, are more."""
    piece = bytes(63_000_000)
    with servers.serving(tmp_path) as server:
        connections = [socket.create_connection((server.host, server.port), timeout=30) for _ in range(8)]
        try:
            for one in connections:
                one.sendall(b"POST /v2/circuits HTTP/1.1\r\nHost: a\r\nContent-Length: 63000001\r\n\r\n")
                one.sendall(piece)
            deadline = time.monotonic() + 30
            while sample(server, "skerry_http_waiting_bytes") < 8 * 63_000_000:
                assert time.monotonic() < deadline
            got = server.raw(b"POST /v2/circuits HTTP/1.1\r\nHost: a\r\nContent-Length: 63000001\r\n\r\n" + piece, 30)
        finally:
            for one in connections:
                one.close()
        assert not got or got.startswith(b"HTTP/1.1 503 "), got[:200]
        assert sample(server, 'skerry_http_answers_total{class="5xx"}') == 1
        (line,) = (line for line in server.logged() if line.get("status") == 503)
        assert (line["event"], line["path"]) == ("request", "/v2/circuits")
