"""/openapi.json as tools read it: each object has the fields of OpenAPI 3.0 alone, and the answers are what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import servers
from tests.e2e.servers import Server

# What OpenAPI 3.0.3 knows of the objects that stand there: all fields, and those that may not be missing.
FIELDS = {
    "document": ("openapi info paths components", "openapi info paths"),
    "operation": (
        "operationId summary description parameters requestBody responses security",
        "operationId summary responses security",
    ),
    "parameter": ("name in required schema", "name in schema"),
    "body": ("required content", "content"),
    "answer": ("description content", "description"),
    "media": ("schema", "schema"),
    "schema": (
        "type format required properties additionalProperties items oneOf enum minimum maximum maxLength $ref",
        "",
    ),
}
KEY: dict[str, str] = {}  # of the running server
TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": float}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("openapi")
    headers = servers.make_keys(folder / "keys", {"root": "admin"}, "tenant t shots=1000/d qubits=20")
    (folder / "keys").write_text((folder / "keys").read_text().rstrip() + " tenant=t\n")
    words = ("--model-repository", servers.repository(folder / "m"), "--keys", folder / "keys")
    with servers.serving(folder, *words) as running:
        KEY.update(headers["root"])
        yield running


def fields(kind: str, value: dict[str, Any], where: str) -> None:
    known, needed = (set(names.split()) for names in FIELDS[kind])
    assert set(value) <= known, (where, set(value) - known)
    assert needed <= set(value), (where, needed - set(value))


def check_schema(schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    fields("schema", schema, where)
    if "$ref" in schema:
        assert set(schema) == {"$ref"}
        kept, name = schema["$ref"].rsplit("/", 1)
        assert kept == "#/components/schemas" and name in document["components"]["schemas"], where
    assert schema.get("type", "object") in TYPES
    assert ("items" in schema) == (schema.get("type") == "array"), where
    assert set(schema.get("required", ())) <= set(schema.get("properties", schema.get("required", ()))), where
    below = [*schema.get("properties", {}).items(), *((str(i), one) for i, one in enumerate(schema.get("oneOf", ())))]
    below += [(name, schema[name]) for name in ("items", "additionalProperties") if name in schema]
    for name, one in below:
        check_schema(one, document, f"{where}.{name}")


def fits(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    if "$ref" in schema:
        return fits(value, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    if "oneOf" in schema:
        return sum(fits(value, one, document) for one in schema["oneOf"]) == 1
    kind = schema.get("type")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_right = is_number if kind in ("number", "integer") else kind is None or isinstance(value, TYPES[kind])
    if not is_right or (kind == "integer" and value != int(value)):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if is_number and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    if kind == "array":
        return all(fits(one, schema["items"], document) for one in value)
    if kind == "object":
        known, other = schema.get("properties", {}), schema.get("additionalProperties", {})
        members = all(fits(one, known.get(name, other), document) for name, one in value.items())
        return members and set(schema.get("required", ())) <= set(value)
    return True


def test_the_document_is_openapi_and_whole(server: Server) -> None:
    document = server.get("/openapi.json").json()
    fields("document", document, "")
    assert re.fullmatch(r"3\.0\.\d", document["openapi"]) and set(document["info"]) == {"title", "version"}
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["header"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    for name, schema in document["components"]["schemas"].items():
        check_schema(schema, document, name)
    ids, used = [], {"#/components/schemas/" + name for name in ("Nothing",)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            fields("operation", operation, where)
            ids.append(operation["operationId"])
            for parameter in operation["parameters"]:
                fields("parameter", parameter, where)
            in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path" and one["required"]]
            assert in_path == re.findall(r"{(\w+)}", path), where
            assert {"200", "default"} <= set(operation["responses"]), where
            contents = []
            for answer in operation["responses"].values():
                fields("answer", answer, where)
                contents.append(answer["content"])
            if "requestBody" in operation:
                assert method == "post"
                fields("body", operation["requestBody"], where)
                contents.append(operation["requestBody"]["content"])
            for content in contents:
                assert content, where
                for kind, media in content.items():
                    assert re.fullmatch(r"\w+/[\w-]+", kind)
                    fields("media", media, where)
                    check_schema(media["schema"], document, where)
            for need in operation["security"]:
                assert set(need) <= set(schemes) and list(need.values()) == [[]]
            used |= set(
                re.findall(r"#/components/schemas/\w+", str(operation) + str(document["components"]["schemas"]))
            )
    assert len(ids) == len(set(ids)) == 46 and all(re.fullmatch(r"[a-zA-Z]+", one) for one in ids)
    assert used == {"#/components/schemas/" + name for name in document["components"]["schemas"]}, (
        "none stands there unused"
    )


def test_what_needs_a_key_and_what_needs_a_body_is_what_the_server_refuses_without(server: Server) -> None:
    for path, operations in server.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            if path.endswith("/events"):
                continue
            target = path.format(model="digits", version="1", id="x", region="x")
            body = b"" if method == "post" else None
            assert (server.ask(method.upper(), target, body).status == 401) == bool(operation["security"]), target
            if operation.get("requestBody", {}).get("required"):
                assert server.ask(method.upper(), target, body, headers=KEY).status == 400, target


def test_answers_have_the_schemas_that_are_told(server: Server) -> None:
    document = server.get("/openapi.json").json()
    circuit = {"program": "OPENQASM 3.0; qubit[2] q; U(0.3, 0, 0) q[0];", "shots": 3, "probabilities": True}
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}], "id": "a"}
    job = server.post("/v2/circuits/jobs", {**circuit, "token": "t"}, headers=KEY).json()["id"]
    assert server.get(f"/v2/circuits/jobs/{job}/result?wait=20", headers=KEY).status == 200
    bodies: dict[str, Any] = {
        "modelInfer": body, "versionInfer": body, "runCircuit": circuit, "planCircuit": circuit,
        "submitJob": circuit, "changeTraceSetting": {}, "changeModelTraceSetting": {}, "changeLogging": {},
    }  # fmt: skip
    seen = 0
    for path, operations in document["paths"].items():
        for method, operation in sorted(operations.items()):
            name = operation["operationId"]
            answers = {code: one["content"] for code, one in operation["responses"].items()}
            wanted = bodies.get(name)
            if wanted is not None:
                given = operation["requestBody"]["content"]["application/json"]["schema"]
                assert fits(wanted, given, document), name
                assert not fits([], given, document), name
            if path.endswith("/events") or name in ("unloadModel", "dashboard"):
                continue
            target = path.format(model="digits", version="1", id=job, region="x")
            got = server.ask(method.upper(), target, wanted if method == "post" else None, headers=KEY)
            content = answers.get(str(got.status), answers["default"])
            kind = got.headers["content-type"].split(";")[0]
            assert kind in content, (name, kind)
            if kind == "application/json":
                assert fits(got.json(), content[kind]["schema"], document), (name, got.body)
                seen += got.status < 300
    assert seen > 30
    new = server.post("/v2/circuits/jobs", {**circuit, "token": "u"}, headers=KEY)
    known = server.post("/v2/circuits/jobs", {**circuit, "token": "u"}, headers=KEY)
    told = document["paths"]["/v2/circuits/jobs"]["post"]["responses"]
    assert (new.status, known.status) == (202, 200) and {"200", "202"} <= set(told)
    assert not fits({"jobs": [{"id": 3}]}, {"$ref": "#/components/schemas/Jobs"}, document)  # the checker can say no
