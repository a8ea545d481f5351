"""What happens to everybody else and to every job when processes are killed, disks fill and clocks are set.

`SKERRY_FAULTS=100 ./dev python -m pytest -s tests/e2e/test_serve_faults.py` kills a hundred times and prints what it
counted; the usual number is small, so that all tests together stay quick.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager, doctor

from tests.e2e import programs, servers, shims
from tests.e2e.servers import Server
from tests.e2e.test_edge_outbox import free_port
from tests.e2e.test_serve_circuits import JOBS, RY
from tests.e2e.test_serve_tenants import ID, bearer
from tests.e2e.test_serve_workers import children, until

KILLS = int(os.environ.get("SKERRY_FAULTS", "12"))
Lost = (OSError, http.client.HTTPException)  # what a client meets whose server was killed


def medium_circuit(layers: int = 12, wires: int = 18) -> str:
    gates = "".join(f"ry(0.{wire + 1}) q[{wire}]; cx q[{wire}], q[{(wire + 1) % wires}];" for wire in range(wires))
    return f'OPENQASM 3.0; include "stdgates.inc"; qubit[{wires}] q; {gates * layers}'


def is_dead(process: int) -> bool:
    """Whether it is there only because nobody has waited for it."""
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def kill_one(server: Server, moments: random.Random) -> bool:
    """Kills a worker; False: there was none, or it was gone before."""
    workers = sorted(children(server))
    try:
        os.kill(moments.choice(workers), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


@dataclass
class Traffic:
    """Clients that submit jobs until they are acknowledged, and clients that wait for runs."""

    port: int
    ended: threading.Event = field(default_factory=threading.Event)
    jobs: dict[str, tuple[str, float]] = field(default_factory=dict)  # token: id and the right answer
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            got = connection.getresponse()
            return got.status, json.loads(got.read())
        finally:
            connection.close()

    def submit(self, client: int, large: float) -> None:
        """Sends each job again until somebody says that he has it."""
        for number in range(10**9):
            is_large = number % 5 == client % 5
            theta = 0.01 * (7 * client + number % 97)
            request: dict[str, Any] = {"observables": ["Z0"], "token": f"{client}-{number}"}
            request |= {"program": medium_circuit()} if is_large else {"program": RY, "parameters": [theta]}
            while not self.ended.is_set():
                try:
                    status, said = self.ask("POST", JOBS, request)
                except Lost:
                    self.seen["submissions without an answer"] += 1
                    time.sleep(0.01)
                    continue
                if status in (200, 202):
                    self.jobs[request["token"]] = (said["id"], large if is_large else float(np.cos(theta)))
                    break
                if status != 503:
                    self.wrong.append(f"{status} {said}")
                self.seen["submissions refused"] += 1
                time.sleep(0.02)
            if self.ended.is_set():
                return
            time.sleep(0.01)

    def run(self) -> None:
        """Waits for each answer: it is right, or there is none, or a refusal says why."""
        while not self.ended.is_set():
            try:
                status, said = self.ask(
                    "POST", "/v2/circuits", {"program": RY, "parameters": [0.3], "observables": ["Z0"]}
                )
            except Lost:
                self.seen["runs without an answer"] += 1
                time.sleep(0.01)
                continue
            if status == 200 and abs(said["results"][0]["expectations"][0] - np.cos(0.3)) < 1e-12:
                self.seen["runs answered"] += 1
            elif status == 503 and said["error"]:
                self.seen["runs refused"] += 1
            else:
                self.wrong.append(f"{status} {said}")
            time.sleep(0.01)


def test_kills_at_random_moments_lose_no_acknowledged_job(tmp_path: Path) -> None:
    moments = random.Random(11)
    z0 = skerry.Observable.from_sparse_list([("Z", [0], 1.0)], num_qubits=18)
    circuit = skerry.loads(medium_circuit())
    assert isinstance(circuit, skerry.Circuit)
    large = float(skerry.run(circuit, observables=[z0]).expectations[0])
    traffic = Traffic(free_port())
    words = ("--workers", "2", "--jobs", tmp_path / "jobs")
    server = servers.launch(tmp_path, *words, http=f"127.0.0.1:{traffic.port}")
    clients = [threading.Thread(target=traffic.submit, args=(client, large)) for client in range(3)]
    clients += [threading.Thread(target=traffic.run)]
    for client in clients:
        client.start()
    killed: Counter[str] = Counter()
    while sum(killed.values()) < KILLS:
        time.sleep(0.3 * moments.random())
        if sum(killed.values()) % 2:
            servers.stop(server, signal.SIGKILL)
            killed["server"] += 1
            server = servers.launch(tmp_path, *words, http=f"127.0.0.1:{traffic.port}")
        else:
            killed["worker"] += kill_one(server, moments)
    traffic.ended.set()
    for client in clients:
        client.join()
    assert traffic.wrong == []
    for identity, right in traffic.jobs.values():
        status = 202
        while status == 202:
            status, said = traffic.ask("GET", f"{JOBS}/{identity}/result?wait=20")
        if status == 200:
            assert abs(said["results"][0]["expectations"][0] - right) < 1e-10
            traffic.seen["jobs answered"] += 1
        else:  # its worker was killed twice
            assert status == 503 and "second time" in said["error"], said
            traffic.seen["jobs refused"] += 1
    _, listed = traffic.ask("GET", JOBS)
    tokens = [row["token"] for row in listed["jobs"]]
    assert len(tokens) == len(set(tokens)) and set(traffic.jobs) <= set(tokens)
    assert traffic.seen["jobs refused"] <= killed["worker"] / 2
    until(lambda: len(children(server)) == 2)
    assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < 40
    assert servers.stop(server) == 0, server.log.read_text()
    print(f"\nkilled {dict(killed)}, acknowledged {len(traffic.jobs)}, lost 0, wrong 0, {dict(traffic.seen)}")


def test_workers_killed_at_random_moments_leave_no_descriptor_and_no_zombie(tmp_path: Path) -> None:
    moments = random.Random(5)
    with servers.serving(tmp_path, "--workers", "2") as server:
        statuses: Counter[int] = Counter()
        request = {"program": RY, "parameters": [0.2], "observables": ["Z0"]}
        assert server.post("/v2/circuits", request).status == 200
        until(lambda: len(children(server)) == 2)
        before = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                statuses[server.post("/v2/circuits", request).status] += 1

        asking = [threading.Thread(target=ask) for _ in range(3)]
        for one in asking:
            one.start()
        for _ in range(KILLS):
            time.sleep(0.05 * moments.random())
            until(lambda: kill_one(server, moments))
        ended.set()
        for one in asking:
            one.join()
        # Refused is whose worker was killed twice, which takes two of the kills.
        assert set(statuses) <= {200, 503} and statuses[503] <= KILLS / 2 < statuses[200], statuses
        until(lambda: len(children(server)) == 2 and not any(map(is_dead, children(server))))
        assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) <= before + 2
        print(f"\n{KILLS} workers killed, answers {dict(statuses)}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Words in front of a command that give it a file system of 256 KiB at tmp_path / "disk"."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=256k none {disk} && exec "$@"'
    words = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount file systems")
    yield words


def test_a_full_disk_refuses_jobs_keeps_those_that_are_there_and_serves_again(
    tmp_path: Path, small_disk: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = tmp_path / "starter"
    starter.write_text(f'#!/bin/sh\nexec {" ".join(repr(word) for word in small_disk)} {programs.CLI} "$@"\n')
    starter.chmod(0o755)
    monkeypatch.setattr(programs, "CLI", starter)
    disk = tmp_path / "disk"
    with servers.serving(tmp_path, "--jobs", disk / "jobs", "--audit", disk / "audit.jsonl") as server:
        inside = Path(f"/proc/{server.process.pid}/root{disk}")

        def job(number: int) -> servers.Answer:
            return server.post(JOBS, {"program": RY, "parameters": [0.1 * number], "observables": ["Z0"]})

        kept = {job(number).json()["id"]: float(np.cos(0.1 * number)) for number in range(5)}
        for identity in kept:
            assert server.get(f"{JOBS}/{identity}/result?wait=20").status == 200
        ballast = inside / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            for piece in (4096, 1):
                while True:
                    file.write(bytes(piece))
        refused = job(9)
        assert refused.status == 500 and refused.json()["error"], refused.body
        assert server.get("/v2/health/ready").status == 200
        plain = server.post("/v2/circuits", {"program": RY, "parameters": [0.3], "observables": ["Z0"]})
        assert plain.status == 200
        for identity, value in kept.items():
            told = server.get(f"{JOBS}/{identity}/result").json()
            np.testing.assert_allclose(told["results"][0]["expectations"], [value], atol=1e-12)
        ballast.unlink()
        again = job(9)
        assert again.status == 202
        assert server.get(f"{JOBS}/{again.json()['id']}/result?wait=20").status == 200
        assert not [entry.name for entry in (inside / "jobs").iterdir() if entry.suffix not in (".job", ".done")]


def test_a_cache_on_a_full_disk_costs_no_answer(tmp_path: Path, small_disk: tuple[str, ...]) -> None:
    script = f"""
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager
disk = {str(tmp_path / "disk")!r}
bell = [{{"gate": "H", "qubit": 0}}, {{"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1}}]
with open(disk + "/ballast", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
manager = EdgeExecutionManager(EdgeExecutionConfig(cache_folder=disk + "/cache"))
print(manager.compile_and_execute(bell, {{"shots": 100, "seed": 7}}).counts)
"""
    here = EdgeExecutionManager().compile_and_execute(
        [{"gate": "H", "qubit": 0}, {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1}],
        {"shots": 100, "seed": 7},
    )
    environment = dict(os.environ, PYTHONPATH=str(Path(skerry.__file__).parent.parent))
    done = subprocess.run(
        [*small_disk, sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == str(here.counts), done.stderr


def test_an_endpoint_that_dies_in_the_middle_of_a_run_is_told_and_what_it_took_on_is_run(tmp_path: Path) -> None:
    port = free_port()
    words = ("--jobs", tmp_path / "jobs")
    config = EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=f"http://127.0.0.1:{port}", cloud_timeout=60)
    program = medium_circuit(60, 21)
    server = servers.launch(tmp_path, *words, http=f"127.0.0.1:{port}")
    results: list[Any] = []

    def run(seconds: float) -> None:
        manager = EdgeExecutionManager(EdgeExecutionConfig(
            max_memory_mb=0, cloud_endpoint=config.cloud_endpoint, cloud_timeout=seconds))  # fmt: skip
        try:
            results.append(manager.compile_and_execute(program, {"observables": ["Z0"]}, "low"))
        except skerry.Error as error:
            results.append(error)

    asking = threading.Thread(target=run, args=(60.0,))
    asking.start()
    until(lambda: any(row["state"] == "running" for row in server.get(JOBS).json()["jobs"]))
    servers.stop(server, signal.SIGKILL)
    asking.join()
    assert isinstance(results[0], skerry.Unavailable) and f"127.0.0.1:{port}" in str(results[0])
    with servers.serving(tmp_path, *words, http=f"127.0.0.1:{port}") as again:
        rows = again.get(JOBS).json()["jobs"]
        assert len(rows) == 1  # what was acknowledged is run, though nobody waits
        got = until(lambda: (one := again.get(f"{JOBS}/{rows[0]['id']}/result?wait=30")).status == 200 and one, 60)
        run(60.0)
        np.testing.assert_allclose(results[1].expectations, got.json()["results"][0]["expectations"], atol=1e-10)


def test_a_clock_that_jumps_costs_no_request_and_nobody_s_allowance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library in front of libc moves the server's clock of the day; that of intervals goes on as it is."""
    clock = shims.faults(tmp_path, tmp_path / "nowhere")
    (tmp_path / "keys.json").write_text(json.dumps(ID.key_set()))
    (tmp_path / "keys").write_text("tenant acme seconds=60/h requests=1000/h\n")
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    words = ("--keys", tmp_path / "keys", "--jwt-keys", tmp_path / "keys.json", "--jwt-audience", "skerry")
    with servers.serving(tmp_path, *words, "--model-repository", servers.repository(tmp_path / "m")) as server:
        monkeypatch.undo()
        year, hour = 365 * 86400, 3600
        now = time.time()

        def jump(seconds: int) -> dict[str, str]:
            """A bearer whose token the server's clock finds valid."""
            clock.set(ahead=seconds)
            return bearer(ID.token(exp=now + seconds + 600, tenant="acme"))

        def job(layers: int, who: dict[str, str]) -> str:
            asked = {"program": medium_circuit(layers, 20), "observables": ["Z0"]}
            return str(server.post(JOBS, asked, headers=who).json()["id"])

        def left(who: dict[str, str]) -> float:
            return float(server.get("/v2/usage", headers=who).json()["seconds"]["left"])

        who = jump(0)
        assert server.get("/v2/usage", headers=who).status == 200
        for seconds in (year, -year, hour, -hour, 0):
            running = job(60, who)
            while server.get(f"{JOBS}/{running}", headers=who).json()["state"] == "queued":
                time.sleep(0.005)
            old, who = who, jump(seconds)
            begin = time.monotonic()
            got = server.get(f"{JOBS}/{running}/result?wait=30", headers=who, seconds=40)
            assert got.status == 200 and time.monotonic() - begin < 30
            status = server.get(f"{JOBS}/{running}", headers=who).json()
            assert 0 < status["ended"] - status["started"] < 30
            assert 30 < left(who) < 60, "a run is paid by what it took, not by what the clock says"
            digits = {"parameters": {"timeout": 5_000_000}, "inputs": [
                {"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.0] * 64}]}  # fmt: skip
            assert server.post("/v2/models/digits/infer", digits, headers=who).status == 200
            if seconds == year:  # and what has run out on that clock has
                assert server.get(JOBS, headers=old).status == 401


def certificate(folder: Path, name: str, valid: tuple[timedelta, timedelta], issuer: Any = None) -> Any:
    """A certificate for localhost, of its own or of `issuer`; its files are NAME.pem and NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(issuer[0].subject if issuer else who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


def test_certificates_that_have_expired_or_are_of_others_let_nobody_in(tmp_path: Path) -> None:
    day = timedelta(days=1)
    good = (-day, day)
    authority = certificate(tmp_path, "ca", good)
    stranger = certificate(tmp_path, "stranger", good)
    for name, valid, issuer in (
        ("server", good, authority), ("old", (-2 * day, -day), authority), ("early", (day, 2 * day), authority),
        ("client", good, authority), ("oldclient", (-2 * day, -day), authority), ("other", good, stranger),
    ):  # fmt: skip
        certificate(tmp_path, name, valid, issuer)

    def files(name: str) -> tuple[programs.Word, ...]:
        return ("--tls-cert", tmp_path / f"{name}.pem", "--tls-key", tmp_path / f"{name}.key")

    def config(server: Server, name: str = "") -> EdgeExecutionConfig:
        return EdgeExecutionConfig(
            max_memory_mb=0,
            cloud_endpoint=f"https://localhost:{server.port}",
            cloud_authorities=str(tmp_path / "ca.pem"),
            cloud_certificate=str(tmp_path / f"{name}.pem") if name else "",
            cloud_key=str(tmp_path / f"{name}.key") if name else "",
            cloud_timeout=10,
        )

    def ask(server: Server, name: str = "") -> Any:
        manager = EdgeExecutionManager(config(server, name))
        return manager.compile_and_execute([{"gate": "H", "qubit": 0}], {"shots": 3})

    for name, reason in (("old", "expired"), ("early", "not yet valid"), ("other", "certificate")):
        with servers.serving(tmp_path, *files(name)) as server:
            with pytest.raises(skerry.Error, match=reason):
                ask(server)
            steps = doctor(config(server))
            assert [step.name for step in steps if not step.ok] == ["TLS"] and reason in steps[-1].finding
            context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
            with pytest.raises(OSError, match=r"(?i)certificate"):
                server_answer(server, context)
    with servers.serving(tmp_path, *files("server"), "--tls-client-ca", tmp_path / "ca.pem") as server:
        assert ask(server, "client").execution_method == "cloud"
        for name in ("", "oldclient", "other"):
            with pytest.raises(skerry.Error):
                ask(server, name)


def server_answer(server: Server, context: ssl.SSLContext) -> int:
    connection = http.client.HTTPSConnection("localhost", server.port, timeout=5, context=context)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status
    finally:
        connection.close()
