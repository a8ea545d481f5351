"""gRPC: NVIDIA's client works against it unchanged, and the messages are those of the protocol."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import grpc
    import tritonclient.grpc as triton
    import tritonclient.grpc.aio as triton_aio
    import tritonclient.http as triton_http
    from tritonclient.grpc import service_pb2, service_pb2_grpc
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


def test_what_http_refuses_is_refused_here_too(server: Server, client: Any) -> None:
    x = images(1, 5)

    def message(**fields: Any) -> Any:
        request = service_pb2.ModelInferRequest(model_name="digits", **fields)
        request.inputs.add(name="x", datatype="FP32", shape=[1, 1, 8, 8])
        return request

    def told(request: Any) -> tuple[str, str]:
        with grpc.insecure_channel(server.grpc) as channel:
            call = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelInfer",
                request_serializer=service_pb2.ModelInferRequest.SerializeToString,
                response_deserializer=service_pb2.ModelInferResponse.FromString,
            )
            try:
                call(request)
            except grpc.RpcError as error:
                return error.code().name, error.details()
        return "OK", ""

    raw = [x.tobytes()]
    assert told(message(raw_input_contents=raw)) == ("OK", "")
    both = message(raw_input_contents=raw)
    both.inputs[0].contents.fp32_contents.extend([0.5] * 64)
    assert told(both)[0] == "INVALID_ARGUMENT" and "both typed" in told(both)[1]
    many = told(message(raw_input_contents=[*raw, b"xxx"]))
    assert many[0] == "INVALID_ARGUMENT" and "2 raw contents for 1 inputs" in many[1]
    for name in ("timeout", "priority"):
        for kind, value in (("int64_param", -5), ("string_param", "abc"), ("bool_param", True), ("double_param", 1.5)):
            wrong = message(raw_input_contents=raw)
            setattr(wrong.parameters[name], kind, value)
            assert told(wrong)[0] == "INVALID_ARGUMENT" and name in told(wrong)[1], (name, kind)
    size = message(raw_input_contents=raw)
    size.inputs[0].parameters["shared_memory_region"].string_param = "region"
    size.inputs[0].parameters["shared_memory_byte_size"].int64_param = -1
    assert "input 'x' shared_memory_byte_size" in told(size)[1]
    classes = [triton.InferRequestedOutput("logits", class_count=3)]
    status, text = refused(lambda: client.infer("digits", [given(x)], outputs=classes))
    assert status == "StatusCode.UNIMPLEMENTED" and "classification" in text
    body = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}],
        "outputs": [{"name": "logits", "parameters": {"classification": 3}}],
    }
    assert server.post("/v2/models/digits/infer", body).status == 501


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


def test_a_repository_of_another_name_is_not_there(tmp_path: Path) -> None:
    models = servers.repository(tmp_path / "m")
    with (
        servers.serving(tmp_path, "--model-repository", models, "--grpc", "127.0.0.1:0") as server,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        calls = (
            (stub.RepositoryIndex, service_pb2.RepositoryIndexRequest, {"ready": True}),
            (stub.RepositoryModelUnload, service_pb2.RepositoryModelUnloadRequest, {"model_name": "digits"}),
            (stub.RepositoryModelLoad, service_pb2.RepositoryModelLoadRequest, {"model_name": "digits"}),
        )
        for call, request, words in calls:
            with pytest.raises(grpc.RpcError) as caught:
                call(request(repository_name="other", **words))
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
            assert "no repository 'other'" in caught.value.details()
            assert server.get("/v2/models/digits/ready").status == 200
        for call, request, words in calls:
            call(request(repository_name="", **words))
        assert {row.name for row in stub.RepositoryIndex(service_pb2.RepositoryIndexRequest()).models} == {
            "digits",
            "bell",
        }


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


def stretching(folder: Path) -> None:
    """A model that makes 64 Ki numbers of one."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [65536])
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [65536])
    node = helper.make_node("Expand", ["x", "shape"], ["y"])
    made = helper.make_model(
        helper.make_graph([node], "stretch", [x], [y], [shape]), opset_imports=[helper.make_opsetid("", 17)]
    )
    made.ir_version = 8
    (folder / "stretch" / "1").mkdir(parents=True)
    onnx.save(made, folder / "stretch" / "1" / "model.onnx")


def raw_call(channel: Any, name: str, kind: str) -> Any:
    """A call whose messages are bytes."""
    make = channel.unary_unary if kind == "unary" else channel.stream_stream
    return make(f"/inference.GRPCInferenceService/{name}", lambda data: data, lambda data: data)


def test_answers_that_nobody_fetches_are_waited_with_and_none_is_lost(tmp_path: Path) -> None:
    stretching(tmp_path / "m")
    request = service_pb2.ModelInferRequest(model_name="stretch")
    tensor = request.inputs.add(name="x", datatype="FP32")
    tensor.shape.append(1)
    count = 1000  # answers of 256 KiB each
    data = []
    for number in range(count):
        request.id = str(number)
        request.ClearField("raw_input_contents")
        request.raw_input_contents.append(np.float32(number).tobytes())
        data.append(request.SerializeToString())
    with servers.serving(tmp_path, "--model-repository", tmp_path / "m", "--grpc", "127.0.0.1:0") as server:
        options = [("grpc.http2.bdp_probe", 0), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(server.grpc, options=options) as channel:
            raw_call(channel, "ModelStreamInfer", "stream")(iter(data[:1])).next()
            before = seen = server.resident_bytes()
            answers = raw_call(channel, "ModelStreamInfer", "stream")(iter(data))
            still = time.monotonic()
            while time.monotonic() - still < 1.5:  # until nothing happens any more
                time.sleep(0.05)
                if abs(server.resident_bytes() - seen) > 1 << 20:
                    seen, still = server.resident_bytes(), time.monotonic()
            assert server.resident_bytes() < before + (64 << 20)
            told = [service_pb2.ModelStreamInferResponse.FromString(answer) for answer in answers]
        assert sorted(int(one.infer_response.id) for one in told) == list(range(count))
        for one in told:
            numbers = np.frombuffer(one.infer_response.raw_output_contents[0], np.float32)
            assert numbers.size == 65536 and np.all(numbers == float(one.infer_response.id))


@pytest.mark.parametrize(
    ("kind", "algorithm", "size"),
    [("unary", grpc.Compression.Gzip, 1016 << 20), ("stream", grpc.Compression.Deflate, 256 << 20)],
)
def test_a_compressed_message_is_refused_before_it_is_large(
    server: Server, kind: str, algorithm: Any, size: int
) -> None:
    before = peak = server.resident_bytes()
    length = b"".join(bytes([size >> shift & 127 | (128 if shift < 28 else 0)]) for shift in range(0, 35, 7))
    bomb = service_pb2.ModelInferRequest(model_name="digits").SerializeToString() + b"\x3a" + length + bytes(size)
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.005):
            peak = max(peak, server.resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with grpc.insecure_channel(server.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
            call = raw_call(channel, "ModelInfer" if kind == "unary" else "ModelStreamInfer", kind)
            with pytest.raises(grpc.RpcError) as refused:
                if kind == "unary":
                    call(bomb, compression=algorithm, timeout=120)
                else:
                    call(iter([bomb]), compression=algorithm, timeout=120).next()
    finally:
        ended.set()
        watcher.join()
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "ompression algorithm" in refused.value.details()
    assert peak < before + (64 << 20)
    with triton.InferenceServerClient(server.grpc) as client:
        assert client.infer("digits", [given(images(1, 5))]).as_numpy("logits").shape == (1, 10)
