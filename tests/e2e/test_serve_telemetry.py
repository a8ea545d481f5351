"""Spans and metrics of a server as a collector gets them: the fields of the specification, the ids of the client."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e import programs, servers

# Messages of opentelemetry-proto (trace.proto, metrics.proto, common.proto, resource.proto, and their services) in
# protobuf's JSON mapping: each field with what it holds. OTLP's own rules: ids are hex, enumerations are numbers.
U64, DOUBLE, TEXT, FLAG, NUMBER = "64-bit integer as text", "double", "text", "flag", "32-bit number"
TRACE_ID, SPAN_ID = "16 bytes in hex", "8 bytes in hex"
ANY_VALUE = {"stringValue": TEXT, "boolValue": FLAG, "intValue": U64, "doubleValue": DOUBLE}
KEY_VALUE = {"key": TEXT, "value": ANY_VALUE}
RESOURCE = {"attributes": [KEY_VALUE], "droppedAttributesCount": NUMBER}
SCOPE = {"name": TEXT, "version": TEXT, "attributes": [KEY_VALUE], "droppedAttributesCount": NUMBER}
SPAN = {
    "traceId": TRACE_ID, "spanId": SPAN_ID, "parentSpanId": SPAN_ID, "traceState": TEXT, "flags": NUMBER, "name": TEXT,
    "kind": NUMBER, "startTimeUnixNano": U64, "endTimeUnixNano": U64, "attributes": [KEY_VALUE],
    "status": {"message": TEXT, "code": NUMBER},
}  # fmt: skip
POINT = {
    "startTimeUnixNano": U64, "timeUnixNano": U64, "attributes": [KEY_VALUE], "asInt": U64, "asDouble": DOUBLE,
}  # fmt: skip
HISTOGRAM_POINT = {
    "startTimeUnixNano": U64, "timeUnixNano": U64, "attributes": [KEY_VALUE], "count": U64, "sum": DOUBLE,
    "bucketCounts": [U64], "explicitBounds": [DOUBLE],
}  # fmt: skip
METRIC = {
    "name": TEXT, "description": TEXT, "unit": TEXT,
    "gauge": {"dataPoints": [POINT]},
    "sum": {"dataPoints": [POINT], "aggregationTemporality": NUMBER, "isMonotonic": FLAG},
    "histogram": {"dataPoints": [HISTOGRAM_POINT], "aggregationTemporality": NUMBER},
}  # fmt: skip
TRACES = {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"scope": SCOPE, "spans": [SPAN]}]}]}
METRICS = {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"scope": SCOPE, "metrics": [METRIC]}]}]}


def check(value: Any, schema: Any, where: str = "") -> None:
    """Fails for a field that the specification does not have, or that holds something else."""
    if isinstance(schema, dict):
        assert isinstance(value, dict), where
        for name, content in value.items():
            assert name in schema, f"{where}.{name} is no field"
            check(content, schema[name], f"{where}.{name}")
    elif isinstance(schema, list):
        assert isinstance(value, list), where
        for content in value:
            check(content, schema[0], where)
    elif schema == U64:
        assert isinstance(value, str), where
        assert 0 <= int(value) < 2**64, where
    elif schema in (TRACE_ID, SPAN_ID):
        digits = 32 if schema == TRACE_ID else 16
        assert re.fullmatch(f"[0-9a-f]{{{digits}}}", value), where
        assert set(value) != {"0"}, where
    else:
        kinds = {DOUBLE: (int, float), TEXT: (str,), FLAG: (bool,), NUMBER: (int,)}
        assert isinstance(value, kinds[schema]), where


class Collector:
    """What a collector was sent."""

    def __init__(self, file: Path, port: int) -> None:
        self.file, self.endpoint = file, f"http://127.0.0.1:{port}"

    def lines(self) -> list[dict[str, Any]]:
        """Every request that came, in order."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def messages(self, path: str, schema: Any) -> list[Any]:
        """All messages of a path that were taken, checked."""
        found = []
        for line in self.lines():
            if line["path"] == path and line["status"] == 200:
                assert line["type"] == "application/json"
                found.append(json.loads(line["body"]))
                check(found[-1], schema)
        return found

    def spans(self) -> list[dict[str, Any]]:
        """All that came."""
        return [
            span
            for message in self.messages("/v1/traces", TRACES)
            for resource in message["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def wait_for_spans(self, number: int) -> list[dict[str, Any]]:
        """As many as that, within some seconds."""
        deadline = time.monotonic() + 20
        while len(self.spans()) < number:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self.spans()


@contextmanager
def collecting(folder: Path, *statuses: int) -> Iterator[Collector]:
    """A collector for the length of a block."""
    words = [sys.executable, str(Path(__file__).with_name("collector.py")), str(folder / "received")]
    process = subprocess.Popen([*words, *map(str, statuses)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Collector(folder / "received", int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def attributes(thing: dict[str, Any]) -> dict[str, Any]:
    """By name, as Python has them."""
    values = {}
    for one in thing["attributes"]:
        ((kind, value),) = one["value"].items()
        values[one["key"]] = int(value) if kind == "intValue" else value
    return values


def sample(server: servers.Server, name: str) -> float:
    """One number of /metrics."""
    text = server.get("/metrics").body.decode()
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def test_spans_carry_the_ids_of_their_callers_and_no_secrets(tmp_path: Path) -> None:
    key = programs.ok("serve", "--json", "--make-key", "alice").json()
    (tmp_path / "keys").write_text(key["line"] + "\n")
    secret = {"Authorization": f"Bearer {key['key']}"}
    with collecting(tmp_path) as collector:
        words = ("--keys", tmp_path / "keys", "--otlp-endpoint", collector.endpoint)
        with servers.serving(tmp_path, *words) as server:
            before = time.time_ns()
            given = server.get("/v2?token=hidden", headers={**secret, "traceparent": f"00-{TRACE}-{PARENT}-01"})
            alone = server.get("/v2/models/nothing", headers=secret)
            unseen = server.get("/v2", headers={**secret, "traceparent": f"00-{TRACE}-{PARENT}-00"})
            refused = server.get("/v2/models/nothing", headers={"X-API-Key": "a wrong one"})
            lost = server.get("/nowhere")
            spans = collector.wait_for_spans(4)
            after = time.time_ns()
            assert sample_with(server, secret, 'skerry_telemetry_spans_total{result="sent"}') >= 4
        by_id = {span["spanId"]: span for span in collector.spans()}
    answers = (given, alone, refused, lost)
    first, second, third, fourth = (by_id[one.headers["traceparent"].split("-")[2]] for one in answers)
    assert given.headers["traceparent"] == f"00-{TRACE}-{first['spanId']}-01"
    assert (first["traceId"], first["parentSpanId"], first["kind"]) == (TRACE, PARENT, 2)
    assert first["name"] == "GET /v2"
    assert attributes(first) == {
        "http.request.method": "GET",
        "url.path": "/v2",
        "http.route": "/v2",
        "http.response.status_code": 200,
    }
    assert before <= int(first["startTimeUnixNano"]) <= int(first["endTimeUnixNano"]) <= after
    assert second["name"] == "GET /v2/models/{model}"
    assert attributes(second)["http.response.status_code"] == 404
    assert "parentSpanId" not in second
    assert second["traceId"] == alone.headers["traceparent"].split("-")[1] != TRACE
    assert attributes(third)["http.response.status_code"] == 401
    assert fourth["name"] == "GET"  # no route: a path that anybody made up names nothing
    assert all(span["status"] == {} for span in (first, second, third, fourth))  # the client's mistakes are not ours
    assert unseen.headers["traceparent"].endswith("-00")
    assert unseen.headers["traceparent"].split("-")[2] not in by_id
    assert len(spans) >= 4
    text = collector.file.read_text()
    assert key["key"] not in text
    assert "hidden" not in text
    assert "a wrong one" not in text
    (resource,) = {json.dumps(one["resourceSpans"][0]["resource"]) for one in collector.messages("/v1/traces", TRACES)}
    assert attributes(json.loads(resource))["service.name"] == "skerry"


def sample_with(server: servers.Server, headers: dict[str, str], name: str) -> float:
    """One number of /metrics, for who may see it."""
    text = server.get("/metrics", headers=headers).body.decode()
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))


def test_metrics_are_those_of_the_page_and_come_at_the_end_too(tmp_path: Path) -> None:
    body = {"program": "OPENQASM 3.0; qubit[1] q; U(0.3, 0, 0) q[0];", "observables": ["Z0"]}
    with collecting(tmp_path) as collector:
        words = ("--model-repository", servers.repository(tmp_path / "models"), "--otlp-endpoint", collector.endpoint)
        with servers.serving(tmp_path, *words, "--workers", "1") as server:
            for _ in range(3):
                assert server.post("/v2/models/bell/infer", {"inputs": []}).status == 200
            job = server.post("/v2/circuits/jobs", body)
            assert job.status == 202
            assert server.get(f"/v2/circuits/jobs/{job.json()['id']}/result?wait=15").status == 200
            asked = time.time_ns()
        (*_, last) = collector.messages("/v1/metrics", METRICS)
        sent = sum(span["kind"] == 2 for span in collector.spans())
    scope = last["resourceMetrics"][0]["scopeMetrics"][0]
    found = {metric["name"]: metric for metric in scope["metrics"]}
    bell = {"model": "bell", "version": "1"}
    requests = found["skerry.requests"]["sum"]
    assert (requests["aggregationTemporality"], requests["isMonotonic"]) == (2, True)
    assert {json.dumps(attributes(point)): int(point["asInt"]) for point in requests["dataPoints"]}[
        json.dumps(bell)
    ] == 3
    (times,) = (
        point for point in found["skerry.request.duration"]["histogram"]["dataPoints"] if attributes(point) == bell
    )
    assert int(times["count"]) == 3 == sum(map(int, times["bucketCounts"]))
    assert len(times["bucketCounts"]) == len(times["explicitBounds"]) + 1
    assert times["explicitBounds"] == sorted(times["explicitBounds"])
    assert 0 < times["sum"] < 3
    assert int(times["startTimeUnixNano"]) < asked <= int(times["timeUnixNano"])
    submitted = next(
        point for point in found["skerry.jobs"]["sum"]["dataPoints"] if attributes(point) == {"state": "submitted"}
    )
    assert int(submitted["asInt"]) == 1
    assert int(found["skerry.worker.runs"]["sum"]["dataPoints"][0]["asInt"]) == 1
    assert sent == 5  # the last spans come before the end


def test_a_busy_collector_is_asked_again_and_a_refusal_is_final(tmp_path: Path) -> None:
    with (
        collecting(tmp_path, 503, 200, 400) as collector,
        servers.serving(tmp_path, "--otlp-endpoint", collector.endpoint) as server,
    ):
        first = server.get("/v2").headers["traceparent"].split("-")[2]
        (span,) = collector.wait_for_spans(1)
        assert span["spanId"] == first
        repeated = [line["body"] for line in collector.lines() if line["path"] == "/v1/traces"]
        assert len(repeated) == 2
        assert repeated[0] == repeated[1]
        server.get("/v2")
        deadline = time.monotonic() + 10
        while sample(server, 'skerry_telemetry_spans_total{result="failed"}') == 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        told = [line for line in server.logged() if line["event"] == "telemetry"]
        assert "503" in told[0]["error"]


def test_without_its_collector_the_server_answers_and_ends_as_ever(tmp_path: Path) -> None:
    with servers.serving(tmp_path, "--otlp-endpoint", "http://127.0.0.1:1") as server:
        assert all(server.get("/v2").status == 200 for _ in range(50))
        begin = time.monotonic()
    assert time.monotonic() - begin < 10


def of_trace(collector: Collector, trace: str, number: int) -> dict[str, dict[str, Any]]:
    """The spans of one trace by name, once there are so many."""
    deadline = time.monotonic() + 20
    while len(found := [span for span in collector.spans() if span["traceId"] == trace]) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert len(found) == number
    return {span["name"]: span for span in found}


def lies_within(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    """Whether one span does so in another; they are of two clocks, whose readings are not taken at once."""
    slack = 1_000_000
    begin, end = (int(inner[name]) for name in ("startTimeUnixNano", "endTimeUnixNano"))
    return int(outer["startTimeUnixNano"]) - slack <= begin <= end <= int(outer["endTimeUnixNano"]) + slack


def test_an_inference_is_followed_by_both_protocols_down_to_its_batch(tmp_path: Path) -> None:
    grpc = pytest.importorskip("tritonclient.grpc")
    rows = np.random.default_rng(3).random((2, 1, 8, 8), dtype=np.float32)
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 1, 8, 8], "data": rows.ravel().tolist()}]}
    other = TRACE[::-1]
    with collecting(tmp_path) as collector:
        words = ("--model-repository", servers.repository(tmp_path / "models"), "--otlp-endpoint", collector.endpoint)
        with servers.serving(tmp_path, *words, "--grpc", "127.0.0.1:0") as server:
            parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            assert server.post("/v2/models/digits/infer", body, headers=parent).status == 200
            x = grpc.InferInput("x", [2, 1, 8, 8], "FP32").set_data_from_numpy(rows)
            with grpc.InferenceServerClient(server.grpc) as client:
                client.infer("digits", [x], headers={"traceparent": f"00-{other}-{PARENT}-01"})
                with pytest.raises(grpc.InferenceServerException):
                    client.infer("nothing", [x], headers={"traceparent": f"00-{other[::-1][1:]}a-{PARENT}-01"})
                client.infer("digits", [x], headers={"traceparent": f"00-{other}-{PARENT}-00"})  # nobody records it
            of_http = of_trace(collector, TRACE, 3)
            of_grpc = of_trace(collector, other, 3)
            (failed,) = of_trace(collector, f"{other[::-1][1:]}a", 1).values()
    service = "inference.GRPCInferenceService"
    for spans, name in ((of_http, "POST /v2/models/{model}/infer"), (of_grpc, f"{service}/ModelInfer")):
        assert set(spans) == {name, "wait digits", "run digits"}
        answer = spans[name]
        assert (answer["parentSpanId"], answer["kind"]) == (PARENT, 2)
        for part in (spans["wait digits"], spans["run digits"]):
            assert (part["parentSpanId"], part["kind"]) == (answer["spanId"], 1)
            assert lies_within(part, answer)
        assert attributes(spans["run digits"])["skerry.batch.rows"] == 2
    assert attributes(of_grpc[f"{service}/ModelInfer"]) == {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": "ModelInfer",
        "rpc.grpc.status_code": 0,
    }
    assert attributes(failed)["rpc.grpc.status_code"] == 5


@pytest.mark.parametrize("path", ["/v2/circuits", "/v2/circuits/jobs"])
def test_a_trace_goes_through_the_worker_process_and_back(tmp_path: Path, path: str) -> None:
    body = {"program": "OPENQASM 3.0; qubit[1] q; U(0.3, 0, 0) q[0];", "observables": ["Z0"]}
    with collecting(tmp_path) as collector:
        words = ("--workers", "1", "--otlp-endpoint", collector.endpoint, "--log-requests")
        with servers.serving(tmp_path, *words) as server:
            answer = server.post(path, body, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
            assert answer.status in (200, 202), answer.body
            spans = of_trace(collector, TRACE, 6)
            unseen = server.post(path, body, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
            assert unseen.status in (200, 202)
            logged = [line for line in server.logged() if line["event"] == "worker"]
            deadline = time.monotonic() + 20
            while len(logged := [line for line in server.logged() if line["event"] == "worker"]) < 6:
                assert time.monotonic() < deadline, logged
                time.sleep(0.05)
        own = server.process.pid
    answered = next(span for name, span in spans.items() if name.startswith("POST"))
    assert set(spans) == {
        answered["name"], "wait circuit", "run circuit", "worker circuit", "read circuit", "simulate circuit"
    }  # fmt: skip
    run, worker = spans["run circuit"], spans["worker circuit"]
    assert run["parentSpanId"] == answered["spanId"]
    assert worker["parentSpanId"] == run["spanId"]
    assert lies_within(worker, run)
    for name in ("read circuit", "simulate circuit"):
        assert spans[name]["parentSpanId"] == worker["spanId"]
        assert lies_within(spans[name], worker)
    process = attributes(worker)["process.pid"]
    assert process not in (own, 0)
    first = {line["part"]: line for line in logged[:3]}
    assert set(first) == {"worker circuit", "read circuit", "simulate circuit"}
    for name, line in first.items():
        assert (line["trace_id"], line["span_id"]) == (TRACE, spans[name]["spanId"])
        assert (line["parent_id"], line["pid"]) == (spans[name]["parentSpanId"], process)
    assert [line["trace_id"] for line in logged[3:6]] == [TRACE] * 3  # logged, though nobody records it
    assert len({span["spanId"] for span in spans.values()}) == 6


def test_a_trace_goes_through_a_models_own_process_each_of_a_batch_in_its_own(tmp_path: Path) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}
    ask = ("/v2/models/digits/infer", {"inputs": [tensor]})
    with collecting(tmp_path) as collector:
        words = (
            "--model-repository",
            servers.repository(tmp_path / "m"),
            "--workers",
            "1",
            "--untrusted",
            "model:digits",
        )
        with servers.serving(tmp_path, *words, "--otlp-endpoint", collector.endpoint) as server:
            others = [f"{number:032x}" for number in range(1, 5)]
            threads = [
                threading.Thread(target=server.post, args=ask,
                                 kwargs={"headers": {"traceparent": f"00-{trace}-{PARENT}-01"}})
                for trace in others
            ]  # fmt: skip
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found = [of_trace(collector, trace, 6) for trace in others]
            unseen = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
            assert server.post(*ask, headers=unseen).status == 200
        own = server.process.pid
    for spans in found:
        parts = {name for name in spans if not name.startswith("POST")}
        assert parts == {f"{part} digits" for part in ("wait", "run", "worker", "read", "infer")}
        run, worker = spans["run digits"], spans["worker digits"]
        assert worker["parentSpanId"] == run["spanId"] and lies_within(worker, run)
        for name in ("read digits", "infer digits"):
            assert spans[name]["parentSpanId"] == worker["spanId"] and lies_within(spans[name], worker)
        assert attributes(worker)["process.pid"] not in (own, 0)
        read, infer = (spans[name]["startTimeUnixNano"] for name in ("read digits", "infer digits"))
        assert int(worker["startTimeUnixNano"]) <= int(read) + 1000 <= int(infer) + 2000
    ids = [span["spanId"] for spans in found for span in spans.values()]
    assert len(set(ids)) == len(ids)


def test_a_price_is_worked_out_within_the_trace_of_its_request(tmp_path: Path) -> None:
    body = {"program": "OPENQASM 3.0; qubit[1] q; U(0.3, 0, 0) q[0];", "observables": ["Z0"]}
    with (
        collecting(tmp_path) as collector,
        servers.serving(tmp_path, "--workers", "1", "--otlp-endpoint", collector.endpoint) as server,
    ):
        answer = server.post("/v2/circuits/plan", body, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        assert answer.status == 200
        spans = of_trace(collector, TRACE, 2)
    assert spans["worker circuit"]["parentSpanId"] == spans["POST /v2/circuits/plan"]["spanId"]


CLIENT = """
import sys
from skerry import edge
config = edge.EdgeExecutionConfig(max_memory_mb=0.0, cloud_endpoint=sys.argv[1])
manager = edge.EdgeExecutionManager(config)
print(manager.compile_and_execute([{"gate": "h", "qubit": 0}], {"shots": 10}))
"""


@pytest.mark.parametrize("given", [True, False])
def test_a_run_of_our_own_client_is_one_trace_down_to_the_run(tmp_path: Path, given: bool) -> None:
    variables = {"TRACEPARENT": f"00-{TRACE}-{PARENT}-01"} if given else {}
    with (
        collecting(tmp_path) as collector,
        servers.serving(tmp_path, "--otlp-endpoint", collector.endpoint, "--workers", "1") as server,
    ):
        environment = {**programs.environment(), **variables}
        command = [sys.executable, "-c", CLIENT, f"http://127.0.0.1:{server.port}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        unseen = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
        told = server.get("/v2/placements", headers=unseen).json()
        assert told["clients"] == [{"place": "cloud", "count": 1}]
        assert "max_memory_mb is 0" in told["recent"][0]["client_reason"]
        collector.wait_for_spans(6)
        traces = {span["traceId"] for span in collector.spans()}
    assert len(traces) == 1
    if given:
        assert traces == {TRACE}
    spans = collector.spans()
    names = {span["name"] for span in spans}
    assert {"wait circuit", "run circuit", "worker circuit", "simulate circuit"} < names
    by_id = {span["spanId"]: span for span in spans}
    run = next(span for span in spans if span["name"] == "run circuit")
    assert by_id[run["parentSpanId"]]["name"].startswith("POST /v2/circuits")
    assert all(("parentSpanId" in span) for span in spans)  # the client's own part is above all of them


@pytest.mark.parametrize("address", ["127.0.0.1:4318", "ftp://127.0.0.1", "http://user@host:1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    told = programs.run("serve", "--http", "127.0.0.1:0", "--otlp-endpoint", address)
    assert told.code == 2
    assert "otlp-endpoint" in told.err
