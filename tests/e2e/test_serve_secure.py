"""TLS, shared memory, the audit log, the dashboard and the list of routes."""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tritonclient.http as http_client

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import grpc
    import tritonclient.grpc as grpc_client
from tritonclient.utils import InferenceServerException

from tests.e2e import programs, servers
from tests.e2e.servers import Server


def make_certificates(folder: Path) -> None:
    """An authority, a certificate of it for localhost, one for a client, and a stranger's."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for authority in ("ca", "stranger"):
        openssl("req", "-x509", *curve, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-subj", "/CN=ca")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "san.txt").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signed_by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san.txt")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed_by, "-out", f"{name}.pem", "-days", "2")


def ask(server: Server, context: ssl.SSLContext) -> int:
    with urllib.request.urlopen(f"https://localhost:{server.port}/v2/health/ready", context=context, timeout=5) as got:
        return int(got.status)


def test_tls_is_1_3_and_clients_can_be_asked_for_a_certificate(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    files = ("--tls-cert", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key")
    models = servers.repository(tmp_path / "m")
    with servers.serving(tmp_path, "--model-repository", models, "--grpc", "127.0.0.1:0", *files) as server:
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        assert ask(server, context) == 200
        old = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(OSError, match=r"(?i)protocol|alert|version"):
            ask(server, old)
        with pytest.raises(OSError, match=r"(?i)certificate"):
            ask(server, ssl.create_default_context(cafile=tmp_path / "stranger.pem"))
        assert b"HTTP/1.1 200" not in server.raw(b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n")
        credentials = grpc.ssl_channel_credentials((tmp_path / "ca.pem").read_bytes())
        with grpc_client.InferenceServerClient(
            server.grpc.replace("127.0.0.1", "localhost"), ssl=True, creds=credentials
        ) as client:
            assert client.is_server_ready()
    with servers.serving(tmp_path, *files, "--tls-client-ca", tmp_path / "ca.pem") as server:
        with pytest.raises(OSError, match=r"(?i)certificate|alert|reset|closed|eof"):
            ask(server, context)
        context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        assert ask(server, context) == 200
    wrong = programs.run("serve", "--tls-cert", tmp_path / "server.pem", "--tls-key", tmp_path / "client.key")
    assert wrong.code == 2 and "client.key" in wrong.err


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pages")
    models = servers.repository(folder / "models")
    with servers.serving(folder, "--model-repository", models, "--grpc", "127.0.0.1:0") as running:
        yield running


@pytest.fixture(scope="module")
def oracle() -> Any:
    return onnxruntime.InferenceSession(servers.MODEL.read_bytes(), providers=["CPUExecutionProvider"])


@pytest.fixture
def segment() -> Iterator[tuple[str, mmap.mmap, Path]]:
    """A segment of shared memory, one page: the elements at 0, the answer at 1024."""
    path = Path("/dev/shm") / f"skerry-test-{os.getpid()}"
    path.write_bytes(b"\0" * 4096)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as memory:
        yield "/" + path.name, memory, path
    path.unlink()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_tensors_travel_through_shared_memory(
    server: Server, oracle: Any, segment: tuple[str, mmap.mmap, Path], kind: str
) -> None:
    key, memory, path = segment
    tools: Any = http_client if kind == "http" else grpc_client
    url = f"{server.host}:{server.port}" if kind == "http" else server.grpc
    x = np.random.default_rng(1).random((2, 1, 8, 8), dtype=np.float32)
    memory[: x.nbytes] = x.tobytes()

    def lying_at(size: int, offset: int = 0) -> Any:
        tensor = tools.InferInput("x", [2, 1, 8, 8], "FP32")
        tensor.set_shared_memory("region", size, offset)
        return tensor

    given = lying_at(x.nbytes)
    wanted = tools.InferRequestedOutput("logits")
    wanted.set_shared_memory("region", 80, 1024)

    def refused(call: Any) -> str:
        with pytest.raises(InferenceServerException) as caught:
            call()
        return str(caught.value.message())

    with tools.InferenceServerClient(url) as client:
        refused(lambda: client.infer("digits", [given], outputs=[wanted]))  # not registered yet
        client.register_system_shared_memory("region", key, 4096)
        status = client.get_system_shared_memory_status()
        assert (status[0]["key"] if kind == "http" else status.regions["region"].key) == key
        client.infer("digits", [given], outputs=[wanted])
        expected = oracle.run(None, {"x": x})[0]
        np.testing.assert_allclose(np.frombuffer(memory[1024:1104], np.float32).reshape(2, 10), expected, 1e-4, 1e-5)
        for offset, size in ((4000, 512), (2**62, 512), (0, 511), (0, 2**62)):
            hostile = lying_at(size, offset)
            assert refused(lambda hostile=hostile: client.infer("digits", [hostile]))
        with path.open("r+b") as file:
            file.truncate(0)  # a map of it would now end the process that reads it
        assert "too small" in refused(lambda: client.infer("digits", [given]))
        client.unregister_system_shared_memory("region")
        refused(lambda: client.register_system_shared_memory("region", "/../etc/passwd", 10))
        refused(lambda: client.register_system_shared_memory("region", key, 10))  # an empty segment has no 10 bytes
    assert server.get("/v2/systemsharedmemory/status").json() == []


def test_bodies_of_strangers_are_refused_by_their_heads_and_take_no_room(tmp_path: Path) -> None:
    made = programs.ok("serve", "--make-key", "ann", "--roles", "infer", "--json").json()
    (tmp_path / "keys").write_text(made["line"] + "\n")
    models = servers.repository(tmp_path / "m")
    head = b"%s %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: 67108864\r\n\r\n{"
    path = b"/v2/models/digits/infer"
    known = b"Authorization: bearer %s\r\n" % made["key"].encode()
    with servers.serving(tmp_path, "--model-repository", models, "--keys", tmp_path / "keys") as server:
        refused = {
            (b"POST", path, b""): b"401",
            (b"POST", path, b"Expect: 100-continue\r\n"): b"401",
            (b"POST", b"/v2/repository/models/digits/load", known): b"403",
            (b"POST", b"/v2/nowhere", known): b"404",
            (b"GET", b"/v2/health/live", b""): b"413",
        }
        for asked, status in refused.items():
            for _ in range(9):  # of 64 MiB each: more than the bytes that all bodies may take
                assert server.raw(head % asked).startswith(b"HTTP/1.1 " + status), asked
        slow = [socket.create_connection((server.host, server.port)) for _ in range(9)]
        for connection in slow:
            connection.sendall(head % (b"POST", path, known))
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}
        told = {"Authorization": f"BEARER {made['key']}"}
        assert server.post(path.decode(), {"inputs": [tensor]}, headers=told).status == 200
        assert server.post(path.decode(), {}).status == 401
        for connection in slow:
            connection.close()


def test_the_audit_log_tells_every_change_and_shows_every_forgery(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    out = programs.ok("serve", "--make-key", "root", "--roles", "admin", "--json").json()
    keys = tmp_path / "keys.txt"
    keys.write_text(out["line"] + "\n")
    models = servers.repository(tmp_path / "m")
    words = ("--model-repository", models, "--keys", keys, "--audit", log)
    for _ in range(2):  # the second server goes on where the first one ended
        with servers.serving(tmp_path, *words) as server:
            headers = {"Authorization": f"Bearer {out['key']}"}
            assert server.post("/v2/repository/models/bell/load", {}, headers=headers).status == 200
            assert server.get("/v2/models/bell").status == 401
            assert server.get("/v2/models/bell", headers=headers).status == 200
    lines = log.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["event"] for line in lines] == ["request", "refused"] * 2
    assert json.loads(lines[0])["key"] == "root" and "load" in json.loads(lines[0])["what"]
    state = programs.ok("serve", "--verify-audit", log, "--json").json()
    assert state["lines"] == 4 and state["head"] == json.loads(lines[3])["hash"]
    forgeries = {
        "changed": [lines[0].replace(b"root", b"toor"), *lines[1:]],
        "left out": [lines[0], *lines[2:]],
        "moved": [lines[1], lines[0], *lines[2:]],
        "doubled": [*lines, lines[3]],
        "cut": [*lines[:3], lines[3][:-5]],
    }
    for name, forged in forgeries.items():
        log.write_bytes(b"".join(forged))
        assert programs.run("serve", "--verify-audit", log).code == 3, name
        assert programs.run("serve", *words, "--http", "127.0.0.1:0").code == 3, name
    log.write_bytes(b"".join(lines[:3]))  # a shorter log holds together, but its head is another one
    assert programs.ok("serve", "--verify-audit", log, "--json").json()["head"] != state["head"]


def test_inference_by_grpc_is_on_record_like_any_other(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    rows = {"slow": "infer,read rate=2", "bob": "infer models=bell", "reader": "read"}
    headers = servers.make_keys(tmp_path / "keys", rows)
    models = servers.repository(tmp_path / "m")
    words = ("--model-repository", models, "--keys", tmp_path / "keys", "--audit", log, "--log-requests")
    with servers.serving(tmp_path, *words, "--grpc", "127.0.0.1:0") as server:
        given = grpc_client.InferInput("x", [1, 1, 8, 8], "FP32")
        given.set_data_from_numpy(np.zeros((1, 1, 8, 8), np.float32))
        answers: list[str] = []

        def infer(told: dict[str, str]) -> None:
            try:
                client.infer("digits", [given], headers=told)
                answers.append("OK")
            except InferenceServerException as error:
                answers.append(error.status().removeprefix("StatusCode."))

        with grpc_client.InferenceServerClient(server.grpc) as client:
            for told in ({}, {"x-api-key": "wrong"}):
                infer(told)
            for who in ("bob", "reader", "slow", "slow", "slow"):
                infer({"authorization": headers[who]["Authorization"]})
            assert answers == ["UNAUTHENTICATED"] * 2 + ["PERMISSION_DENIED"] * 2 + ["OK"] * 2 + ["RESOURCE_EXHAUSTED"]
            with pytest.raises(InferenceServerException, match="RESOURCE_EXHAUSTED"):  # as for every other question
                client.get_model_metadata("digits", headers={"authorization": headers["slow"]["Authorization"]})
        requests = [line for line in server.logged() if line["event"] == "request" and line["method"] == "ModelInfer"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    refusals = [("", 401), ("", 401), ("bob", 403), ("reader", 403), ("slow", 429)]
    assert [(line["key"], line["status"]) for line in lines[:-1]] == refusals
    assert {line["event"] for line in lines} == {"refused"} and lines[0]["what"] == "ModelInfer digits"
    assert (lines[-1]["key"], lines[-1]["status"]) == ("slow", 429)  # by HTTP too whoever is known is named
    logged = [("", 401), ("", 401), ("bob", 403), ("reader", 403), ("slow", 200), ("slow", 200), ("slow", 429)]
    assert [(line["key"], line["status"]) for line in requests] == logged
    assert all(line["path"] == "digits" and line["us"] > 0 and line["trace_id"] for line in requests)
    assert programs.ok("serve", "--verify-audit", log, "--json").json()["lines"] == len(lines)


def test_one_server_alone_writes_an_audit_log_and_goes_on_after_half_a_line(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    words = ("--model-repository", servers.repository(tmp_path / "m"), "--audit", log)
    first = servers.launch(tmp_path, *words)
    second = programs.run("serve", *words, "--http", "127.0.0.1:0")
    assert second.code != 0 and "another server writes" in second.err
    assert first.post("/v2/repository/models/bell/load", {}).status == 200
    servers.stop(first, signal.SIGKILL)
    with servers.serving(tmp_path, *words) as server:  # the kernel lets go of a dead server's file
        assert server.post("/v2/repository/models/bell/load", {}).status == 200
    whole = log.read_bytes()
    assert programs.ok("serve", "--verify-audit", log, "--json").json()["lines"] == 2
    log.write_bytes(whole + b'{"n":3,"time":17')
    refused = programs.run("serve", *words, "--http", "127.0.0.1:0")
    assert refused.code == 3 and "cut the file after line 2" in refused.err
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:2]))  # as docs/server.md says
    with servers.serving(tmp_path, *words) as server:
        assert server.post("/v2/repository/models/bell/load", {}).status == 200
    assert programs.ok("serve", "--verify-audit", log, "--json").json()["lines"] == 3


def test_the_dashboard_shows_what_the_server_counts(server: Server, tmp_path: Path) -> None:
    page = server.get("/")
    assert page.status == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(rb"(?:src|href)=.?https?:", page.body)
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}]}
    for _ in range(3):
        assert server.post("/v2/models/digits/infer", body).status == 200
    count = server.get("/v2/models/digits/stats").json()["model_stats"][0]["inference_stats"]["success"]["count"]
    bell = {"program": 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];', "state": True}
    told = {"Skerry-Placement": "cloud needs <b>4 GB</b>, has 1"}
    assert server.post("/v2/circuits", bell, headers=told).status == 200
    chain = "".join(f"cx q[{wire}], q[{wire + 1}];" for wire in range(25))
    ghz = f'OPENQASM 3.0; include "stdgates.inc"; qubit[26] q; h q[0]; {chain}'
    wide = {"program": ghz, "method": "statevector", "max_memory_mb": 1, "state": True}
    assert server.post("/v2/circuits", wide).status == 507
    assert server.post("/v2/circuits", {"program": "nonsense"}).status == 400
    placed = server.get("/v2/placements").json()
    refused, taken = placed["recent"][:2]
    assert (refused["place"], refused["method"], refused["what"]) == ("refused", "statevector", "circuit")
    assert refused["need_bytes"] > refused["limit_bytes"] == 1_000_000
    assert str(refused["need_bytes"]) in refused["reason"]
    assert (taken["place"], taken["client"], taken["client_reason"]) == ("local", "cloud", "needs <b>4 GB</b>, has 1")
    counts = {(row["place"], row["method"]): row["count"] for row in placed["counts"]}
    assert counts["refused", "statevector"] == 1 and counts["local", taken["method"]] >= 1
    text = server.get("/metrics").body.decode()
    assert 'skerry_placements_total{place="refused",method="statevector"} 1' in text
    assert 'skerry_client_placements_total{place="cloud"} 1' in text
    browser = shutil.which("chromium")
    assert browser is not None
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
         "--virtual-time-budget=3000", "--dump-dom", f"http://{server.host}:{server.port}/"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert "ready, 2 models" in shown, shown[-3000:]
    assert re.search(rf"<td>digits 1</td><td>{count}</td>", shown)
    assert "refused, statevector: 1" in shown and "by its sender cloud: 1" in shown
    row = re.search(r"<tr><td>[^<]*</td><td>anonymous</td><td>circuit</td><td>refused</td>.*?</tr>", shown)
    assert row and "<td>statevector</td>" in row[0] and "1.0 MB" in row[0] and "allows" in row[0]
    assert "its sender decided for cloud: needs &lt;b&gt;4 GB&lt;/b&gt;" in shown


def test_every_route_is_in_the_list_and_answers_as_it_says(server: Server) -> None:
    listed = server.get("/openapi.json").json()
    assert listed["openapi"].startswith("3.") and len(listed["paths"]) > 25
    for path, operations in listed["paths"].items():
        assert set(operations) <= {"get", "post"}
        if path.endswith("/events") or path == "/":
            continue
        for method in operations:
            got = server.ask(method.upper(), re.sub(r"{\w+}", "nobody", path), b"" if method == "post" else None)
            is_cuda = path == "/v2/cudasharedmemory/region/{region}/register"
            assert got.status in ((501,) if is_cuda else (200, 400, 404)), (method, path, got)
            if got.status != 200:
                assert got.json()["error"]
        missing = server.ask("DELETE", re.sub(r"{\w+}", "nobody", path))
        assert missing.status == 405 and missing.json()["error"]


def test_each_key_sees_its_own_placements_and_admins_see_all(tmp_path: Path) -> None:
    made = {
        name: programs.ok("serve", "--make-key", name, "--roles", roles, "--json").json()
        for name, roles in (("alice", "circuits,read"), ("bob", "circuits,read"), ("root", "admin"))
    }
    (tmp_path / "keys").write_text("\n".join(key["line"] for key in made.values()) + "\n")
    header = {name: {"X-API-Key": key["key"]} for name, key in made.items()}
    words = ("--keys", tmp_path / "keys", "--workers", "1", "--untrusted", "key:bob")
    program = {"program": "OPENQASM 3.0; qubit[1] q; U(0.3, 0, 0) q[0];", "observables": ["Z0"]}
    with servers.serving(tmp_path, *words) as server:
        for name in ("alice", "bob"):
            assert server.post("/v2/circuits", program, headers=header[name]).status == 200
        job = server.post("/v2/circuits/jobs", program, headers=header["bob"]).json()["id"]
        assert server.get(f"/v2/circuits/jobs/{job}/result?wait=15", headers=header["bob"]).status == 200
        assert server.post("/v2/circuits/plan", program, headers=header["alice"]).status == 200

        def seen(name: str) -> list[tuple[str, str, str]]:
            recent = server.get("/v2/placements", headers=header[name]).json()["recent"]
            return [(row["who"], row["what"], row["place"]) for row in recent]

        assert seen("alice") == [("alice", "plan", "local"), ("alice", "circuit", "local")]
        assert seen("bob") == [("bob", "job", "worker"), ("bob", "circuit", "worker")]
        assert len(seen("root")) == 4
        assert server.get("/v2/placements").status == 401
