"""Tensors of texts (BYTES): over HTTP and gRPC, as JSON, as raw bytes, in shared memory, apart and in ensembles."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import tritonclient.grpc as triton_grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc
import grpc
import tritonclient.http as triton_http
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException
from tritonclient.utils import shared_memory as memory

from tests.e2e import servers
from tests.e2e.servers import Server

NUMBERS = {"red": 3, "grün": 5, "": 8}
TEXTS = np.array([["red", "grün"], ["", "nobody's"], ['a\0b\n"', "x" * 3000]], dtype=object)

CHAIN = """
platform: "ensemble"
input [ { name: "WORDS" data_type: TYPE_STRING dims: [ -1, 2 ] } ]
output [ { name: "NUMBERS" data_type: TYPE_INT64 dims: [ -1, 2 ] } ]
ensemble_scheduling {
  step [
    { model_name: "small" input_map { key: "texts" value: "WORDS" } output_map { key: "lower" value: "there" } },
    { model_name: "numbers" input_map { key: "texts" value: "there" } output_map { key: "n" value: "NUMBERS" } }
  ]
}
"""


def model_of(nodes: list[onnx.NodeProto], inputs: list[Any], outputs: list[Any]) -> bytes:
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    graph = helper.make_graph(nodes, "texts", inputs, outputs)
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def models() -> dict[str, bytes]:
    row, text = helper.make_tensor_value_info, TensorProto.STRING
    texts = row("texts", text, ["batch", 2])
    encoder = helper.make_node(
        "LabelEncoder", ["texts"], ["n"], domain="ai.onnx.ml",
        keys_strings=list(NUMBERS), values_int64s=list(NUMBERS.values()), default_int64=-1,
    )  # fmt: skip
    lower = helper.make_node("StringNormalizer", ["texts"], ["lower"], case_change_action="LOWER", is_case_sensitive=1)
    glue = helper.make_node("StringConcat", ["texts", "texts"], ["twice"])
    classifier = helper.make_node(
        "LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", post_transform="NONE",
        classlabels_strings=["cat", "dog", "fish"], coefficients=[1.0, 0.0, 0.0, 1.0, -1.0, -1.0],
        intercepts=[0.0, 0.0, 0.5], multi_class=0,
    )  # fmt: skip
    zipped = helper.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml", classlabels_strings=["a", "b", "c"])
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(text, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    numbers = row("x", TensorProto.FLOAT, ["batch", 2])
    scores = row("scores", TensorProto.FLOAT, ["batch", 3])
    return {
        "numbers": model_of([encoder], [texts], [row("n", TensorProto.INT64, ["batch", 2])]),
        "small": model_of([lower], [row("texts", text, [None])], [row("lower", text, [None])]),
        "twice": model_of([glue], [texts], [row("twice", text, ["batch", 2])]),
        "animals": model_of([classifier], [numbers], [row("label", text, ["batch"]), scores]),
        "maps": model_of([zipped], [scores], [helper.make_value_info("maps", maps)]),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("texts")
    repository = servers.repository(folder / "models")
    for name, model in models().items():
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "1" / "model.onnx").write_bytes(model)
    with servers.serving(folder, "--model-repository", repository, "--grpc", "127.0.0.1:0") as running:
        yield running


@pytest.fixture(params=["http", "http JSON", "grpc"])
def ask(request: pytest.FixtureRequest, server: Server) -> Iterator[Any]:
    """ask(model, **inputs): the outputs by NVIDIA's client."""
    way = request.param
    triton: Any = triton_grpc if way == "grpc" else triton_http
    raw: dict[str, Any] = {} if way == "grpc" else {"binary_data": way == "http"}
    types = {"f": "FP32", "i": "INT64", "O": "BYTES"}
    with triton.InferenceServerClient(server.grpc if way == "grpc" else f"{server.host}:{server.port}") as client:

        def infer(model: str, wanted: list[str], **inputs: Any) -> dict[str, Any]:
            given = []
            for name, array in inputs.items():
                tensor = triton.InferInput(name, list(array.shape), types[array.dtype.kind])
                tensor.set_data_from_numpy(array, **raw)
                given.append(tensor)
            outputs = [triton.InferRequestedOutput(name, **raw) for name in wanted]
            got = client.infer(model, given, outputs=outputs)
            return {name: got.as_numpy(name) for name in wanted}

        yield infer


def decoded(texts: Any) -> list[Any]:
    """The client gives bytes for raw answers, str for JSON."""
    return [one.decode() if isinstance(one, bytes) else one for one in texts.reshape(-1)]


def test_texts_become_numbers(ask: Any) -> None:
    got = ask("numbers", ["n"], texts=TEXTS)["n"]
    assert got.shape == TEXTS.shape
    assert got.tolist() == [[NUMBERS.get(word, -1) for word in row] for row in TEXTS]


def test_numbers_become_texts(ask: Any) -> None:
    x = np.array([[3, 0], [0, 2], [-5, -4], [1, 0.5]], np.float32)
    got = ask("animals", ["label", "scores"], x=x)
    scores = x @ np.array([[1, 0, -1], [0, 1, -1]], np.float32) + np.array([0, 0, 0.5], np.float32)
    np.testing.assert_allclose(got["scores"], scores, rtol=1e-6)
    assert got["label"].shape == (4,)
    assert decoded(got["label"]) == [("cat", "dog", "fish")[row.argmax()] for row in scores]


def test_texts_become_texts_whatever_stands_in_them(ask: Any) -> None:
    got = ask("twice", ["twice"], texts=TEXTS)["twice"]
    assert got.shape == TEXTS.shape
    assert decoded(got) == [word + word for word in TEXTS.reshape(-1)]


def test_metadata_and_configuration_name_their_type(server: Server) -> None:
    told = server.get("/v2/models/animals").json()
    assert told["outputs"][0] == {"name": "label", "datatype": "BYTES", "shape": [-1]}
    assert server.get("/v2/models/animals/config").json()["output"][0]["data_type"] == "TYPE_STRING"
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        assert client.get_model_metadata("numbers").inputs[0].datatype == "BYTES"
        assert client.get_model_config("numbers").config.input[0].data_type == 13  # model_config.proto: TYPE_STRING


def test_typed_contents_of_grpc_are_texts_too(server: Server) -> None:
    tensor = service_pb2.ModelInferRequest.InferInputTensor(name="texts", datatype="BYTES", shape=[2, 2])
    tensor.contents.bytes_contents.extend([b"red", b"", "grün".encode(), b"?"])
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        got = stub.ModelInfer(service_pb2.ModelInferRequest(model_name="numbers", inputs=[tensor]))
    assert np.frombuffer(got.raw_output_contents[0], np.int64).tolist() == [3, 8, 5, -1]


def test_texts_lie_in_shared_memory(server: Server) -> None:
    words = np.array([["red", "grün"]], dtype=object)
    packed = b"".join(struct.pack("<I", len(word.encode())) + word.encode() for word in words[0])
    handle = memory.create_shared_memory_region("texts", "/skerry-texts", 4096)
    try:
        memory.set_shared_memory_region(handle, [np.array([packed], dtype=np.bytes_)])
        with triton_http.InferenceServerClient(f"{server.host}:{server.port}") as client:
            client.register_system_shared_memory("texts", "/skerry-texts", 4096)
            tensor = triton_http.InferInput("texts", [1, 2], "BYTES")
            tensor.set_shared_memory("texts", len(packed), 0)
            wanted = triton_http.InferRequestedOutput("twice")
            wanted.set_shared_memory("texts", 1024, 2048)
            client.infer("twice", [tensor], outputs=[wanted])
            found = memory.get_contents_as_numpy(handle, np.object_, [1, 2], 2048)
            assert [word.decode() for word in found[0]] == ["redred", "grüngrün"]
            wanted.set_shared_memory("texts", 8, 2048)
            with pytest.raises(InferenceServerException, match="does not fit 8 bytes"):
                client.infer("twice", [tensor], outputs=[wanted])
            client.unregister_system_shared_memory()
    finally:
        memory.destroy_shared_memory_region(handle)


def test_an_ensemble_hands_texts_on(server: Server, tmp_path: Path) -> None:
    repository = tmp_path / "models"
    for name in ("small", "numbers"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "1" / "model.onnx").write_bytes(models()[name])
    (repository / "chain").mkdir()
    flat = CHAIN.replace("[ -1, 2 ]", "[ -1 ]")
    (repository / "chain" / "config.pbtxt").write_text(CHAIN)
    with servers.serving(tmp_path, "--model-repository", repository) as own:
        index = {row["name"]: row for row in own.post("/v2/repository/index", {}).json()}
        assert "WORDS" in index["chain"]["reason"] and "BYTES" in index["chain"]["reason"], index  # of another rank
        (repository / "numbers" / "1" / "model.onnx").write_bytes(
            model_of(
                [helper.make_node("LabelEncoder", ["texts"], ["n"], domain="ai.onnx.ml", keys_strings=["red"],
                                  values_int64s=[3], default_int64=-1)],
                [helper.make_tensor_value_info("texts", TensorProto.STRING, [None])],
                [helper.make_tensor_value_info("n", TensorProto.INT64, [None])],
            )
        )  # fmt: skip
        (repository / "chain" / "config.pbtxt").write_text(flat)
        for name in ("numbers", "chain"):
            assert own.post(f"/v2/repository/models/{name}/load", {}).status == 200
        body = {"inputs": [{"name": "WORDS", "datatype": "BYTES", "shape": [3], "data": ["RED", "Red", "blue"]}]}
        assert own.post("/v2/models/chain/infer", body).json()["outputs"][0]["data"] == [3, 3, -1]


def test_a_strangers_model_takes_and_gives_texts_in_its_own_process(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    (repository / "twice" / "1").mkdir(parents=True)
    (repository / "twice" / "1" / "model.onnx").write_bytes(models()["twice"])
    words = ("--model-repository", repository, "--workers", "1", "--untrusted", "models")
    with (
        servers.serving(tmp_path, *words) as server,
        triton_http.InferenceServerClient(f"{server.host}:{server.port}") as client,
    ):
        tensor = triton_http.InferInput("texts", list(TEXTS.shape), "BYTES")
        tensor.set_data_from_numpy(TEXTS)
        for _ in range(2):
            got = client.infer("twice", [tensor]).as_numpy("twice")
            assert decoded(got) == [word + word for word in TEXTS.reshape(-1)]


def raw(server: Server, payload: bytes, shape: tuple[int, ...] = (1, 2)) -> servers.Answer:
    """One inference of `numbers` whose texts are these bytes."""
    row = {"name": "texts", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": len(payload)}}
    head = json.dumps({"inputs": [row]})
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return server.post("/v2/models/numbers/infer", head.encode() + payload, headers=headers)


def test_raw_texts_that_are_none_are_refused_with_their_place_and_the_others_go_on(server: Server) -> None:
    good = b"\3\0\0\0red" + b"\0\0\0\0"
    assert raw(server, good).json()["outputs"][0]["data"] == [3, 8]
    cases = {
        b"": "0 bytes cannot hold",
        good[:-1]: "text 1 ends behind",
        b"\4\0\0\0red" + b"\0\0\0\0": "text 1 ends behind",
        b"\xff\xff\xff\xffred, red": "text 0 ends behind",
        good + b"\0": "1 bytes are left",
        b"\3\0\0\0r\xffd" + b"\0\0\0\0": "text 0 is not UTF-8",
    }
    for payload, words in cases.items():
        got = raw(server, payload)
        assert (got.status, got.json()["code"]) == (400, "invalid_argument"), (payload, got.body)
        assert words in got.json()["error"], got.body
    many = raw(server, good, shape=(1 << 30, 2))
    assert many.status == 400 and "cannot hold" in many.json()["error"]
    for data, words in (([["red"]], "1 are given"), (["red", 7], "no text"), (["red", None], "no text")):
        body = {"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1, 2], "data": data}]}
        got = server.post("/v2/models/numbers/infer", body)
        assert got.status == 400 and words in got.json()["error"], got.body
    assert raw(server, good).status == 200


def test_a_model_of_maps_is_not_served_says_why_and_the_others_are(server: Server) -> None:
    index = {row["name"]: row for row in server.post("/v2/repository/index", {}).json()}
    assert index["maps"]["state"] == "UNAVAILABLE"
    assert "'maps'" in index["maps"]["reason"] and "no tensor" in index["maps"]["reason"], index["maps"]
    body = {"inputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}
    got = server.post("/v2/models/maps/infer", body)
    assert (got.status, got.json()["code"]) == (404, "not_found") and "no tensor" in got.json()["error"]
    again = server.post("/v2/repository/models/maps/load", {})
    assert (again.status, again.json()["code"]) == (501, "unsupported") and "zipmap=False" in again.json()["error"]
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        tensor = triton_grpc.InferInput("scores", [1, 3], "FP32")
        tensor.set_data_from_numpy(np.zeros((1, 3), np.float32))
        with pytest.raises(InferenceServerException, match="no tensor") as caught:
            client.infer("maps", [tensor])
        assert caught.value.status() == "StatusCode.NOT_FOUND"
        assert client.is_model_ready("digits") and client.is_model_ready("twice")
    digits = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.0] * 64}]}
    assert server.post("/v2/models/digits/infer", digits).status == 200
