"""gRPC: NVIDIA's client works against it unchanged, and the messages are those of the protocol."""

from __future__ import annotations

import asyncio
import queue
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import grpc
    import tritonclient.grpc as triton
    import tritonclient.grpc.aio as triton_aio
    import tritonclient.http as triton_http
    from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from tests.e2e import programs, servers
from tests.e2e.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("grpc")
    models = servers.repository(folder / "models")
    with servers.serving(folder, "--model-repository", models, "--grpc", "127.0.0.1:0") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with triton.InferenceServerClient(server.grpc) as made:
        yield made


@pytest.fixture(scope="module")
def oracle() -> Any:
    return onnxruntime.InferenceSession(servers.MODEL.read_bytes(), providers=["CPUExecutionProvider"])


def given(x: Any) -> Any:
    tensor = triton.InferInput("x", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    return tensor


def images(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).random((count, 1, 8, 8), dtype=np.float32)


def test_every_question_has_its_answer(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("digits") and client.is_model_ready("digits", "1")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata().name == "skerry"
    model = client.get_model_metadata("digits")
    assert list(model.versions) == ["1"] and list(model.inputs[0].shape) == [-1, 1, 8, 8]
    config = client.get_model_config("digits").config
    assert config.max_batch_size == 32 and list(config.input[0].dims) == [1, 8, 8] and config.input[0].data_type == 11
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {(row["name"], row["state"]) for row in index} == {("digits", "READY"), ("bell", "READY")}


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_answers_are_those_of_onnx_runtime(client: Any, oracle: Any, rows: int) -> None:
    x = images(rows, rows)
    got = client.infer("digits", [given(x)], request_id="r7", outputs=[triton.InferRequestedOutput("logits")])
    assert got.get_response().id == "r7" and got.get_response().model_version == "1"
    np.testing.assert_allclose(got.as_numpy("logits"), oracle.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_typed_elements_are_taken_as_well_as_raw_ones(server: Server, oracle: Any) -> None:
    x = images(1, 5)
    request = service_pb2.ModelInferRequest(model_name="digits")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[1, 1, 8, 8])
    tensor.contents.fp32_contents.extend(x.ravel().tolist())
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=service_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=service_pb2.ModelInferResponse.FromString,
        )
        raw = call(request).raw_output_contents[0]
    np.testing.assert_allclose(np.frombuffer(raw, np.float32), oracle.run(None, {"x": x})[0][0], rtol=1e-4, atol=1e-5)


def test_statistics_count_both_protocols(client: Any, server: Server) -> None:
    def count() -> tuple[int, int]:
        stats = client.get_inference_statistics("digits").model_stats[0]
        return stats.inference_stats.success.count, stats.inference_count

    before = count()
    client.infer("digits", [given(images(2, 1))])
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}]}
    assert server.post("/v2/models/digits/infer", body).status == 200
    assert count() == (before[0] + 2, before[1] + 3)


def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        call()
    return caught.value.status(), caught.value.message()


def test_refusals_have_a_status_and_a_reason(client: Any) -> None:
    status, text = refused(lambda: client.infer("nobody", [given(images(1, 1))]))
    assert status == "StatusCode.NOT_FOUND" and "nobody" in text
    status, text = refused(lambda: client.infer("digits", [given(images(1, 1)[:, :, :7])]))
    assert status == "StatusCode.INVALID_ARGUMENT" and "[1,1,7,8]" in text
    late = given(images(1, 1))
    status, _ = refused(lambda: client.infer("digits", [late], timeout=1))  # a microsecond
    assert status == "StatusCode.DEADLINE_EXCEEDED"
    assert refused(lambda: client.load_model("nobody"))[0] == "StatusCode.NOT_FOUND"


@pytest.mark.parametrize("data", [b"", b"\0" * 255, b"\0" * 257])
def test_raw_bytes_of_the_wrong_number_are_refused(server: Server, data: bytes) -> None:
    request = service_pb2.ModelInferRequest(model_name="digits", raw_input_contents=[data])
    request.inputs.add(name="x", datatype="FP32", shape=[1, 1, 8, 8])
    for shape in ([1, 1, 8, 8], [99999999999, 9999999999999], [-1, 1, 8, 8], [1] * 50):
        del request.inputs[0].shape[:]
        request.inputs[0].shape.extend(shape)
        with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(request.SerializeToString())
        assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)


def test_a_stream_answers_every_request(client: Any, oracle: Any) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for seed in range(20):
        client.async_stream_infer("digits", [given(images(1, seed))], request_id=str(seed))
    client.async_stream_infer("nobody", [given(images(1, 0))], request_id="wrong")
    found = set()
    errors = []
    for _ in range(21):
        result, error = answers.get(timeout=20)
        if error is not None:
            errors.append(str(error))
            continue
        seed = int(result.get_response().id)
        expected = oracle.run(None, {"x": images(1, seed)})[0]
        np.testing.assert_allclose(result.as_numpy("logits"), expected, rtol=1e-3, atol=1e-4)
        found.add(seed)
    client.stop_stream()
    assert found == set(range(20)) and len(errors) == 1 and "nobody" in errors[0]


def test_the_asynchronous_client_works_too(server: Server, oracle: Any) -> None:
    async def work() -> list[Any]:
        async with triton_aio.InferenceServerClient(server.grpc) as client:
            calls = [client.infer("digits", [given(images(1, seed))]) for seed in range(32)]
            return [result.as_numpy("logits") for result in await asyncio.gather(*calls)]

    for seed, got in enumerate(asyncio.run(work())):
        np.testing.assert_allclose(got, oracle.run(None, {"x": images(1, seed)})[0], rtol=1e-3, atol=1e-4)


def test_models_come_and_go(tmp_path: Path) -> None:
    models = servers.repository(tmp_path / "m")
    with (
        servers.serving(tmp_path, "--model-repository", models, "--grpc", "127.0.0.1:0") as server,
        triton.InferenceServerClient(server.grpc) as client,
    ):
        client.unload_model("digits")
        assert not client.is_model_ready("digits")
        assert refused(lambda: client.infer("digits", [given(images(1, 1))]))[0] == "StatusCode.NOT_FOUND"
        client.load_model("digits")
        assert client.is_model_ready("digits")


def test_keys_hold_here_too(tmp_path: Path) -> None:
    out = programs.ok("serve", "--make-key", "alice", "--roles", "infer", "--json").json()
    keys = tmp_path / "keys.txt"
    keys.write_text(out["line"] + "\n")
    models = servers.repository(tmp_path / "m")
    with (
        servers.serving(tmp_path, "--model-repository", models, "--grpc", "127.0.0.1:0", "--keys", keys) as server,
        triton.InferenceServerClient(server.grpc) as client,
    ):
        headers = {"authorization": f"Bearer {out['key']}"}
        assert refused(lambda: client.infer("digits", [given(images(1, 1))]))[0] == "StatusCode.UNAUTHENTICATED"
        assert client.infer("digits", [given(images(1, 1))], headers=headers).as_numpy("logits").shape == (1, 10)
        denied = refused(lambda: client.unload_model("digits", headers=headers))
        assert denied[0] == "StatusCode.PERMISSION_DENIED"


METHODS = [
    "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelConfig",
    "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload", "SystemSharedMemoryStatus",
    "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister", "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister", "TraceSetting", "LogSettings",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_message_that_is_none_is_the_callers_mistake(server: Server, method: str) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
        for bytes_ in (b"\xff", b"\x0a\x7f", b"\x0b" * 9):  # a tag cut off, a length too large, groups without end
            with pytest.raises(grpc.RpcError) as caught:
                call(bytes_)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert f"inference.{method}Request" in caught.value.details()


def test_a_stream_ends_at_a_message_that_is_none_and_answers_those_before(server: Server, oracle: Any) -> None:
    x = images(1, 3)
    good = service_pb2.ModelInferRequest(model_name="digits", raw_input_contents=[x.tobytes()])
    good.inputs.add(name="x", datatype="FP32", shape=[1, 1, 8, 8])
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            response_deserializer=service_pb2.ModelStreamInferResponse.FromString,
        )
        answers = call(iter([good.SerializeToString(), b"\x0a\x7f", good.SerializeToString()]))
        first = next(answers).infer_response.raw_output_contents[0]
        np.testing.assert_allclose(np.frombuffer(first, np.float32), oracle.run(None, {"x": x})[0][0], rtol=1e-3)
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_texts_for_a_model_of_numbers_are_refused_by_their_type(client: Any, server: Server) -> None:
    texts = triton.InferInput("x", [1, 1, 8, 8], "BYTES")
    texts.set_data_from_numpy(np.full((1, 1, 8, 8), "a", dtype=object))
    status, text = refused(lambda: client.infer("digits", [texts]))
    assert status == "StatusCode.INVALID_ARGUMENT" and "BYTES" in text
    body = {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}
    told = server.post("/v2/models/digits/infer", body)
    assert told.status == 400 and told.json()["code"] == "type_mismatch"


def test_memory_of_cuda_is_told_to_be_none(client: Any, server: Server) -> None:
    over_http = triton_http.InferenceServerClient(f"{server.host}:{server.port}")
    assert client.get_cuda_shared_memory_status(as_json=True) == {}
    assert over_http.get_cuda_shared_memory_status() == []
    for one in (client, over_http):
        one.unregister_cuda_shared_memory()
        one.unregister_cuda_shared_memory("region")
        with pytest.raises(InferenceServerException, match="memory of the host"):
            one.register_cuda_shared_memory("region", b"aGFuZGxl", 0, 64)
        with pytest.raises(InferenceServerException, match="no region 'region'"):
            one.get_cuda_shared_memory_status("region")
    assert refused(lambda: client.register_cuda_shared_memory("r", b"", 0, 1))[0] == "StatusCode.UNIMPLEMENTED"
