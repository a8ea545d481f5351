"""Who may do what, by others' tokens, and how much, by tenant: a real server, tokens made by PyJWT."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from tritonclient.utils import InferenceServerException

from tests.e2e import programs, servers
from tests.e2e.servers import Server
from tests.e2e.test_serve_workers import until

RY = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit[2] q; ry(theta) q[0];'
ISSUER, AUDIENCE = "https://id.example", "skerry"


@dataclass(frozen=True)
class Identity:
    """An identity provider: its keys by algorithm, and the set that tells them to others."""

    keys: Mapping[str, Any]

    def key_set(self) -> dict[str, list[dict[str, Any]]]:
        def public(row: str | dict[str, Any], algorithm: str) -> dict[str, Any]:
            told: dict[str, Any] = json.loads(row) if isinstance(row, str) else row
            return {**told, "kid": algorithm, "alg": algorithm, "use": "sig"}

        secret = base64.urlsafe_b64encode(self.keys["HS256"]).rstrip(b"=").decode()
        return {
            "keys": [
                public(OKPAlgorithm.to_jwk(self.keys["EdDSA"].public_key()), "EdDSA"),
                public(ECAlgorithm.to_jwk(self.keys["ES256"].public_key()), "ES256"),
                public(RSAAlgorithm.to_jwk(self.keys["RS256"].public_key()), "RS256"),
                public({"kty": "oct", "k": secret}, "HS256"),
                {"kty": "EC", "crv": "P-521", "kid": "other", "x": "AA", "y": "AA"},  # of no use here, and no error
            ]
        }

    def token(self, algorithm: str = "EdDSA", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """None as a claim leaves it out."""
        usual = {"sub": "ann", "iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "roles": ["infer", "circuits"]}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(said, self.keys[algorithm], algorithm, headers={"kid": algorithm, **(header or {})})


def identity() -> Identity:
    return Identity({
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "RS256": rsa.generate_private_key(65537, 2048),
        "HS256": secrets.token_bytes(32),
    })  # fmt: skip


ID = identity()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "keys.json").write_text(json.dumps(ID.key_set()))
    (folder / "keys").write_text(
        "tenant small requests=1000/h shots=5000/d qubits=3\n"
        "tenant busy requests=3/d\n"
        "tenant slow seconds=1e-9/h\n"
        "tenant narrow bytes=2000/h\n"
    )
    words = ("--keys", folder / "keys", "--jwt-keys", folder / "keys.json", "--jwt-issuer", ISSUER)
    models = servers.repository(folder / "models")
    with servers.serving(
        folder, *words, "--jwt-audience", AUDIENCE, "--model-repository", models, "--grpc", "127.0.0.1:0"
    ) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def circuit(qubits: int = 2, **more: Any) -> dict[str, Any]:
    return {"program": json.dumps([{"gate": "H", "qubit": qubit} for qubit in range(qubits)]), **more}


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
def test_a_token_of_each_algorithm_lets_its_bearer_in(server: Server, algorithm: str) -> None:
    told = bearer(ID.token(algorithm))
    assert server.post("/v2/circuits", circuit(observables=["X0"]), headers=told).status == 200
    assert server.get("/v2/usage", headers=told).json() == {"name": "jwt:ann"}
    assert server.get("/v2/models/stats", headers=told).status == 403  # read is not among its roles


def test_roles_come_from_scopes_too_and_names_of_other_services_are_nobody_s(server: Server) -> None:
    told = bearer(ID.token(roles=None, scope="openid read profile"))
    assert server.get("/v2/models/stats", headers=told).status == 200
    assert server.post("/v2/circuits", circuit(), headers=told).status == 403
    assert server.get("/v2/models/stats", headers=bearer(ID.token(roles=["Admin", "owner"]))).status == 403


def test_models_are_those_that_the_token_lists(server: Server) -> None:
    x = http_client.InferInput("x", [1, 1, 8, 8], "FP32").set_data_from_numpy(np.zeros((1, 1, 8, 8), np.float32))
    with http_client.InferenceServerClient(f"{server.host}:{server.port}") as client:
        for models, allowed in ((None, True), (["digits"], True), (["other"], False), ([], False)):
            headers = bearer(ID.token(models=models))
            if allowed:
                assert client.infer("digits", [x], headers=headers).as_numpy("logits").shape == (1, 10)
            else:
                with pytest.raises(InferenceServerException, match="may not use model"):
                    client.infer("digits", [x], headers=headers)
    y = grpc_client.InferInput("x", [1, 1, 8, 8], "FP32")
    y.set_data_from_numpy(np.zeros((1, 1, 8, 8), np.float32))
    with grpc_client.InferenceServerClient(server.grpc) as rpc:
        told = {"authorization": f"Bearer {ID.token()}"}
        assert rpc.infer("digits", [y], headers=told).as_numpy("logits").shape == (1, 10)
        with pytest.raises(InferenceServerException, match="expired"):
            rpc.infer("digits", [y], headers={"authorization": f"Bearer {ID.token(exp=time.time() - 60)}"})


def resigned(token: str, **claims: Any) -> str:
    """The same signature over other claims."""
    header, payload, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "==")) | claims
    return f"{header}.{base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b'=').decode()}.{signature}"


def test_what_is_not_signed_expired_or_meant_for_others_is_refused_with_the_reason(server: Server) -> None:
    public = OKPAlgorithm.to_jwk(ID.keys["EdDSA"].public_key(), as_dict=True)["x"]
    stranger = identity()
    unsigned = jwt.encode({"sub": "ann", "roles": ["admin"], "exp": time.time() + 60}, "", "none")
    swapped = jwt.encode({"sub": "ann", "roles": ["admin"], "exp": time.time() + 60}, public.encode(), "HS256")
    wrong = {
        "not signed": [
            unsigned, swapped, stranger.token("ES256"), resigned(ID.token("RS256"), roles=["admin"]),
            ID.token()[:-8] + "AAAAAAAA", ID.token("ES256", {"kid": "RS256"}),
        ],
        "expired": [ID.token(exp=time.time() - 31)],
        "never ends": [ID.token(exp=None)],
        "does not hold yet": [ID.token(nbf=time.time() + 60)],
        "another issuer": [ID.token(iss="https://evil.example"), ID.token(iss=None)],
        "another audience": [ID.token(aud="billing"), ID.token(aud=["a", "b"]), ID.token(aud=None)],
        "names nobody": [ID.token(sub=None)],
        "extension": [ID.token(header={"crit": ["b64"], "b64": True})],
        "tenant": [ID.token(tenant="nobody")],
        "malformed": [ID.token(roles="infer"), ID.token(models=[1])],
        "": ["eyJ.eyJ.", "eyJhbGciOiJFZERTQSJ9..", "eyJ" + "a" * 9000 + ".b.c", "a.b.c", ""],
    }  # fmt: skip
    for reason, tokens in wrong.items():
        for token in tokens:
            answer = server.post("/v2/circuits", circuit(), headers=bearer(token))
            assert answer.status == 401, (reason, token)
            assert reason in answer.json()["error"] and answer.headers["www-authenticate"] == "Bearer"
    assert server.post("/v2/circuits", circuit(), headers=bearer(ID.token(exp=time.time() - 20))).status == 200
    assert server.post("/v2/circuits", circuit(), headers=bearer(ID.token(aud=["x", AUDIENCE]))).status == 200


def test_a_tenant_s_shots_and_qubits_end_where_its_line_says(server: Server) -> None:
    told = bearer(ID.token(tenant="small"))
    assert server.post("/v2/circuits", circuit(4, shots=1), headers=told).status == 413
    assert server.post("/v2/circuits", circuit(3, shots=6000), headers=told).status == 403  # more than a day's
    assert server.post("/v2/circuits", circuit(3, shots=4000), headers=told).status == 200
    late = server.post("/v2/circuits", circuit(3, shots=2000), headers=told)
    assert late.status == 429 and 10_000 < int(late.headers["retry-after"]) < 86_400
    assert "shots" in late.json()["error"]
    left = server.get("/v2/usage", headers=told).json()
    assert left["tenant"] == "small" and left["qubits"] == 3 and 999 < left["shots"]["left"] < 1010
    job = circuit(3, shots=500, token="again")
    for _ in range(5):  # sent again: it runs, and is paid, once
        assert server.post("/v2/circuits/jobs", job, headers=told).status in (200, 202)
    assert 499 < server.get("/v2/usage", headers=told).json()["shots"]["left"] < 515
    wide = server.post("/v2/circuits/jobs", circuit(4, shots=100), headers=told)  # read where it is run
    assert wide.status == 202
    result = server.get(f"/v2/circuits/jobs/{wide.json()['id']}/result?wait=20", headers=told)
    assert result.status == 413 and "4 qubits" in result.json()["error"]
    assert 499 < server.get("/v2/usage", headers=told).json()["shots"]["left"] < 515  # given back


def test_shots_of_what_is_refused_are_given_back(tmp_path: Path) -> None:
    headers = servers.make_keys(tmp_path / "keys", {"ann": "circuits tenant=t"}, "tenant t shots=100/d qubits=3")["ann"]

    limits = ("--max-memory-mb", "1", "--max-execution-time", "1")
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"program": "OPENQASM 3.0; nonsense"}, 400),
        ({"program": RY, "parameters": []}, 400),
        ({"program": RY, "parameters": [1.0], "observables": ["Q7"]}, 400),
        ({**circuit(3), "method": "nobody"}, 400),
    ]
    with servers.serving(tmp_path, "--keys", tmp_path / "keys", *limits) as server:

        def left() -> float:
            return float(server.get("/v2/usage", headers=headers).json()["shots"]["left"])

        def post(path: str, **request: Any) -> Any:
            return server.post(path, request, headers=headers)

        for request, status in wrong:
            answer = post("/v2/circuits", shots=60, **request)
            assert answer.status == status, answer.body
            assert left() == pytest.approx(100, abs=0.5)
            answer = post("/v2/circuits/jobs", shots=60, **request)
            if answer.status == 202:
                ended = server.get(f"/v2/circuits/jobs/{answer.json()['id']}/result?wait=20", headers=headers)
                assert ended.status == status
            until(lambda: left() == pytest.approx(100, abs=0.5))  # told after the job's end is
        assert post("/v2/circuits", shots=60, **circuit(2)).status == 200
        assert left() == pytest.approx(40, abs=0.5)
        job = post("/v2/circuits/jobs", shots=30, **circuit(2)).json()["id"]
        assert server.get(f"/v2/circuits/jobs/{job}/result?wait=20", headers=headers).status == 200
        assert left() == pytest.approx(10, abs=0.5)


def test_requests_bytes_and_seconds_are_counted_for_the_whole_tenant(server: Server) -> None:
    for name in ("ann", "bob", "eve"):
        assert server.post("/v2/circuits", circuit(), headers=bearer(ID.token(sub=name, tenant="busy"))).status == 200
    assert server.post("/v2/circuits", circuit(), headers=bearer(ID.token(sub="fay", tenant="busy"))).status == 429
    assert server.get("/v2/usage", headers=bearer(ID.token(tenant="busy"))).status == 200  # looking costs nothing
    slow = bearer(ID.token(tenant="slow"))
    assert server.post("/v2/circuits", circuit(), headers=slow).status == 200
    assert server.post("/v2/circuits", circuit(), headers=slow).status == 429
    narrow = bearer(ID.token(tenant="narrow"))
    assert server.post("/v2/circuits", circuit(10), headers=narrow).status == 200
    assert server.post("/v2/circuits", circuit(60), headers=narrow).status in (403, 429)


def test_the_same_name_by_key_and_by_token_are_two_people(tmp_path: Path) -> None:
    made = programs.run("serve", "--make-key", "ann", "--roles", "circuits", "--json").json()
    (tmp_path / "keys").write_text(made["line"] + "\n")
    (tmp_path / "set.json").write_text(json.dumps(ID.key_set()))
    with servers.serving(tmp_path, "--keys", tmp_path / "keys", "--jwt-keys", tmp_path / "set.json") as running:
        status = running.post("/v2/circuits/jobs", circuit(), headers=bearer(made["key"])).json()
        path = f"/v2/circuits/jobs/{status['id']}"
        assert running.get(path, headers=bearer(made["key"])).status == 200
        assert running.get(path, headers=bearer(ID.token(aud=None))).status == 404


def test_key_sets_that_cannot_be_are_refused_by_place(tmp_path: Path) -> None:
    short = {"kty": "oct", "k": "c2hvcnQ"}
    small = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key()))
    for text, word in (
        ("{", "not JSON"),
        ("{}", "'keys'"),
        ('{"keys": []}', "no key"),
        (json.dumps({"keys": [short]}), "32 bytes"),
        (json.dumps({"keys": [small]}), "2048"),
        ('{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}', "OKP"),
        ('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA"}]}', "'y'"),
        ('{"keys": 7}', "keys"),
    ):
        (tmp_path / "set.json").write_text(text)
        refused = programs.run("serve", "--jwt-keys", tmp_path / "set.json", "--http", "127.0.0.1:0")
        assert refused.code in (2, 3) and word in refused.err and "set.json" in refused.err, (text, refused.err)
    assert programs.run("serve", "--jwt-issuer", "x").code == 2


def test_new_keys_are_taken_up_without_a_restart_and_bad_ones_leave_the_old(tmp_path: Path) -> None:
    place = tmp_path / "set.json"
    place.write_text(json.dumps(ID.key_set()))
    with servers.serving(tmp_path, "--jwt-keys", place) as running:
        mine = bearer(ID.token(aud=None))
        other = identity()
        theirs = bearer(other.token(aud=None))
        assert [running.post("/v2/circuits", circuit(), headers=who).status for who in (mine, theirs)] == [200, 401]
        shutil.copy(place, tmp_path / "old.json")
        place.write_text("{")
        servers.reload(running)
        assert running.post("/v2/circuits", circuit(), headers=mine).status == 200
        place.write_text(json.dumps(other.key_set()))
        servers.reload(running)
        assert [running.post("/v2/circuits", circuit(), headers=who).status for who in (mine, theirs)] == [401, 200]


def test_no_circuit_is_read_by_the_threads_that_everybody_s_requests_come_by(server: Server) -> None:
    told = bearer(ID.token(tenant="small"))
    before = server.get("/v2/usage", headers=told).json()["shots"]["left"]
    steps = "for int i in [0:3000000] { U(0.1,0.2,0.3) q[0]; }"
    long = {"program": f"OPENQASM 3.0; qubit[4] q; {steps}", "shots": 10}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(server.post, "/v2/circuits", long, headers=told, seconds=120) for _ in range(4)]
        live = 0
        while not any(one.done() for one in asked):
            assert server.get("/v2/health/live").status == 200
            live += 1
        assert live > 10
        assert {one.result().status for one in asked} == {413}  # four qubits are too many
    assert server.get("/v2/usage", headers=told).json()["shots"]["left"] >= before  # nothing was run
