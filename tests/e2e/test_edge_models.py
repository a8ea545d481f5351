"""Models and hybrids inside a budget: here, cut in two, or at a real server; always the answers of a run here."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import Circuit, GraphBuilder, Model, Observable
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager, EdgeExecutor

from tests.e2e import programs, proxies, servers

DIGITS = servers.MODEL
VECTORS = servers.VECTORS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.serving(tmp_path_factory.mktemp("endpoint"), "--log-requests") as running:
        yield running


@pytest.fixture
def endpoint(server: servers.Server) -> str:
    return f"http://{server.host}:{server.port}"


def loaded() -> Model:
    model = skerry.load(DIGITS)
    assert isinstance(model, Model)
    return model


def digits(rows: int = 5) -> dict[str, np.ndarray]:
    (name,) = (one.name for one in loaded().inputs)
    return {name: np.random.default_rng(0).random((rows, 1, 8, 8), np.float32)}


def whole_mb(model: Model, inputs: dict[str, Any]) -> float:
    """What the plan takes for the whole model."""
    return EdgeExecutor().place_model(model, inputs).considered[0].peak_bytes / 1e6


def entangle(circuit: Circuit) -> None:
    """So that its state has no smaller form than the vector."""
    for layer in range(1, 4):
        for qubit in range(14):
            circuit.rxx(0.3 + layer, qubit, (qubit + layer) % 14).ry(0.2, qubit)


def wide_hybrid(dtype: type[np.floating] = np.float64) -> tuple[Model, dict[str, np.ndarray]]:
    """64 features -> 2 angles -> a circuit of 14 qubits -> its means -> a dense layer."""
    random = np.random.default_rng(5)
    a, b = skerry.Parameter("a"), skerry.Parameter("b")
    circuit = Circuit(14).ry(a, 0).ry(b, 1)
    entangle(circuit)
    g = GraphBuilder("hybrid")
    x = g.input("x", ["N", 64], {np.float32: "f32", np.float64: "f64"}[dtype])
    angles = g.add("MatMul", [x, g.constant(random.standard_normal((64, 2)).astype(dtype), "w1")])
    means = g.circuit(circuit, angles, [Observable.parse(text, 14) for text in ("Z0", "Z1 Z2", "X13")])
    g.output(g.add("MatMul", [means, g.constant(random.standard_normal((3, 4)).astype(dtype), "w2")]), "scores")
    return g.build(), {"x": random.standard_normal((3, 64)).astype(dtype)}


def equal(outputs: dict[str, np.ndarray], model: Model, inputs: dict[str, Any], tolerance: float) -> None:
    due = model.session().run(inputs)
    assert outputs.keys() == due.keys()
    for name, array in due.items():
        assert outputs[name].dtype == array.dtype and outputs[name].shape == array.shape
        np.testing.assert_allclose(outputs[name], array, rtol=0, atol=tolerance)


def test_a_model_runs_here_when_it_fits_and_whole_at_the_endpoint_when_nothing_may(endpoint: str) -> None:
    model, inputs = loaded(), digits()
    with EdgeExecutionManager(EdgeExecutionConfig(cloud_endpoint=endpoint)) as manager:
        for program in (model, DIGITS, str(DIGITS)):
            here = manager.compile_and_execute(program, input_data=inputs)
            assert here.success and here.execution_method == "edge"
            equal(here.outputs, model, inputs, 0)
        assert [part.place for part in here.parts] == ["edge"] and here.parts[0].bytes_sent == 0
        assert manager.get_performance_statistics()["edge_executions"] == 3
    with EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=endpoint)) as manager:
        cloud = manager.compile_and_execute(DIGITS, input_data=inputs)
        assert cloud.execution_method == "cloud" and "max_memory_mb is 0" in str(cloud.placement)
        equal(cloud.outputs, model, inputs, 0)  # the same kernels on the same machine: the same bits
        (part,) = cloud.parts
        assert part.place == "cloud" and 0 < part.seconds <= cloud.execution_time
        assert part.bytes_received == sum(array.nbytes for array in cloud.outputs.values())
        assert inputs[next(iter(inputs))].nbytes < part.bytes_sent < 1.1 * cloud.placement.whole_bytes
        assert manager.get_performance_statistics()["cloud_executions"] == 1


def test_a_model_that_does_not_fit_is_cut_and_the_endpoint_runs_one_half(server: servers.Server, endpoint: str) -> None:
    model, inputs = loaded(), digits(1)
    budget = EdgeExecutionConfig(max_memory_mb=0.8 * whole_mb(model, inputs), cloud_endpoint=endpoint)
    executor = EdgeExecutor(budget)
    told = executor.place_model(model, inputs)
    done = executor.execute_model(model, inputs)
    assert told.method == done.execution_method == "hybrid"
    split = told.split
    assert split is not None
    assert {piece.place for piece in split.pieces} == {"edge", "cloud"}
    assert sum(piece.nodes for piece in split.pieces) >= 2
    assert split.peak_bytes <= budget.max_memory_mb * 1e6
    assert split.crossing_bytes + split.weight_bytes <= told.whole_bytes
    equal(done.outputs, model, inputs, 1e-5)
    assert done.memory_used <= budget.max_memory_mb
    assert [part.place for part in done.parts] == [piece.place for piece in split.pieces]
    assert executor.get_performance_statistics()["hybrid_executions"] == 1
    (seen,) = [one for one in server.get("/v2/placements").json()["recent"] if one.get("client") == "hybrid"]
    assert "max_memory_mb" in seen["client_reason"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_the_circuit_of_a_hybrid_goes_to_the_endpoint_and_two_angles_cross(
    endpoint: str, tmp_path: Path, dtype: type[np.floating], tolerance: float
) -> None:
    model, inputs = wide_hybrid(dtype)
    skerry.save(model, tmp_path / "hybrid.skerry")
    budget = EdgeExecutionConfig(max_memory_mb=0.1, cloud_endpoint=endpoint)  # 2^14 amplitudes take 0.26 MB
    with EdgeExecutionManager(budget) as manager:
        done = manager.compile_and_execute(tmp_path / "hybrid.skerry", inputs)
    assert done.execution_method == "hybrid"
    split = done.placement.split
    assert split is not None
    head, tail = split.pieces
    assert (head.place, tail.place) == ("edge", "cloud")
    assert split.crossing_bytes == 3 * 2 * np.dtype(dtype).itemsize
    equal(done.outputs, model, inputs, tolerance)


@pytest.mark.parametrize("rows", [2, 700])  # of which the elements are told, and the place alone
@pytest.mark.parametrize("through", ["", "Neg"])  # what is computed beforehand, and what the halves look at as it is
def test_weights_that_their_owner_changes_in_place_are_those_of_the_next_run(
    endpoint: str, rows: int, through: str
) -> None:
    circuit = Circuit(14).ry(skerry.Parameter("a"), 0).ry(skerry.Parameter("b"), 1)
    entangle(circuit)
    weights = np.random.default_rng(7).standard_normal((rows, 2))  # the builder borrows it
    g = GraphBuilder("hybrid")
    w = g.constant(weights, "w")
    angles = g.add("MatMul", [g.input("x", ["N", rows], "f64"), g.add(through, [w]) if through else w])
    g.output(g.circuit(circuit, angles, [Observable.parse("Z0", 14), Observable.parse("X13", 14)]), "means")
    model, inputs = g.build(), {"x": np.full((2, rows), 0.3)}
    executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0.1, cloud_endpoint=endpoint))
    answers = []
    for change in (1.0, 0.5, 2.0):
        weights *= change
        done = executor.execute_model(model, inputs)
        assert done.execution_method == "hybrid" and done.placement.split is not None
        equal(done.outputs, model, inputs, 1e-10)
        answers.append(done.outputs["means"])
    assert np.abs(answers[1] - answers[0]).max() > 1e-6
    np.testing.assert_allclose(answers[2], answers[0], rtol=0, atol=1e-12)


def test_where_the_head_is_what_does_not_fit_the_tail_runs_here(endpoint: str) -> None:
    g = GraphBuilder("front")
    x = g.input("x", [2], "f64")
    a, b = skerry.Parameter("a"), skerry.Parameter("b")
    circuit = Circuit(14).ry(a, 0).ry(b, 1)
    entangle(circuit)
    means = g.circuit(circuit, x, [Observable.parse("Z0", 14), Observable.parse("Z13", 14)])
    g.output(g.add("MatMul", [means, g.constant(np.random.default_rng(1).random((2, 1000)), "w")]), "y")
    model, inputs = g.build(), {"x": np.array([0.3, 0.4])}
    done = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0.1, cloud_endpoint=endpoint)).execute_model(model, inputs)
    assert done.execution_method == "hybrid"
    split = done.placement.split
    assert split is not None
    assert [piece.place for piece in split.pieces] == ["cloud", "edge"]
    assert done.parts[0].bytes_received == 16
    equal(done.outputs, model, inputs, 1e-10)


def test_without_an_endpoint_the_error_has_need_and_limit(endpoint: str) -> None:
    model, inputs = wide_hybrid()
    for config in (
        EdgeExecutionConfig(max_memory_mb=0.1),
        EdgeExecutionConfig(max_memory_mb=0.1, cloud_endpoint=endpoint, fallback_to_cloud=False),
    ):
        executor = EdgeExecutor(config)
        with pytest.raises(skerry.BudgetExceeded, match=r"\d+ bytes.*max_memory_mb allows.*100000 bytes"):
            executor.execute_model(model, inputs)
        assert executor.get_performance_statistics()["total_executions"] == 0
    with pytest.raises(skerry.DeadlineExceeded, match="max_execution_time allows"):
        EdgeExecutor(EdgeExecutionConfig(max_execution_time=1e-9)).execute_model(model, inputs)


def test_a_model_that_takes_too_long_here_is_run_elsewhere(endpoint: str) -> None:
    model, inputs = wide_hybrid()
    done = EdgeExecutor(EdgeExecutionConfig(max_execution_time=1e-9, cloud_endpoint=endpoint)).execute_model(
        model, inputs
    )
    assert done.execution_method == "cloud" and "max_execution_time allows" in str(done.placement)
    equal(done.outputs, model, inputs, 1e-10)


@pytest.mark.parametrize("megabytes", [512, 0], ids=["here", "there"])
def test_wrong_inputs_are_refused_by_name_wherever_it_would_run(endpoint: str, megabytes: float) -> None:
    model, inputs = wide_hybrid()
    executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=megabytes, cloud_endpoint=endpoint))
    with pytest.raises(skerry.InvalidArgument, match="'x' is missing"):
        executor.execute_model(model)
    with pytest.raises(skerry.InvalidArgument, match="no input 'z'"):
        executor.execute_model(model, {**inputs, "z": inputs["x"]})
    with pytest.raises(skerry.TypeMismatch):
        executor.execute_model(model, {"x": inputs["x"].astype(np.float32)})
    with pytest.raises(skerry.TypeMismatch):
        executor.execute_model(model, {"x": inputs["x"][:, :5]})
    assert executor.get_performance_statistics()["total_executions"] == 0


def test_an_endpoint_that_dies_in_the_middle_is_a_typed_error_and_what_fits_runs_here(tmp_path: Path) -> None:
    model, inputs = wide_hybrid()
    with servers.serving(tmp_path) as server, proxies.between(server.port) as (proxy, address):
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0.1, cloud_endpoint=address, cloud_timeout=5))
        assert executor.execute_model(model, inputs).execution_method == "hybrid"
        proxy.reset_up = 200  # every further connection breaks inside of the request
        executor.cleanup()
        mortal = EdgeExecutor(executor.config)
        with pytest.raises(skerry.Unavailable, match="needs"):
            mortal.execute_model(model, inputs)
        assert proxy.resets > 0
        assert mortal.get_performance_statistics()["total_executions"] == 0
        small = digits(1)
        assert mortal.resources().endpoint_seems_up is False
        roomy = EdgeExecutor(EdgeExecutionConfig(cloud_endpoint=address))
        assert roomy.execute_model(loaded(), small).execution_method == "edge"


@contextmanager
def lying(tensors: list[dict[str, Any]]) -> Iterator[str]:
    """An endpoint that answers every request with these tensors."""

    class Liar(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"results": [{"tensors": tensors, "report": {"method": "graph"}}]}).encode()
            if self.path.endswith("/jobs"):
                body = json.dumps({"id": "a" * 32, "state": "queued"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    liar = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=liar.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{liar.server_port}"
    finally:
        liar.shutdown()
        thread.join()
        liar.server_close()


@pytest.mark.parametrize(
    "tensors",
    [
        [],
        [{"name": "other", "datatype": "FP64", "shape": [3, 4], "data": [0.5] * 12}],
        [{"name": "scores", "datatype": "FP32", "shape": [3, 4], "data": [0.5] * 12}],
        [{"name": "scores", "datatype": "FP64", "shape": [4, 3], "data": [0.5] * 12}],
        [{"name": "scores", "datatype": "FP64", "shape": [3, 4], "data": [0.5] * 11}],
        [{"name": "scores", "datatype": "FP64", "shape": [3, 4], "data": [0.5] * 12}] * 2,
    ],
    ids=["none", "name", "dtype", "shape", "elements", "twice"],
)
def test_an_answer_that_is_not_the_models_is_not_believed(tensors: list[dict[str, Any]]) -> None:
    model, inputs = wide_hybrid()
    with lying(tensors) as address:
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=address))
        with pytest.raises(skerry.Unavailable, match="answer"):
            executor.execute_model(model, inputs)


def test_worker_processes_run_models_that_were_sent_and_hold_their_limits(tmp_path: Path) -> None:
    model, inputs = wide_hybrid()
    with servers.serving(tmp_path, "--workers", "1", "--max-memory-mb", "20") as server:
        address = f"http://{server.host}:{server.port}"
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=address))
        equal(executor.execute_model(model, inputs).outputs, model, inputs, 1e-10)
        assert server.get("/v2/placements").json()["recent"][0]["place"] == "worker"
        g = GraphBuilder("large")
        x = g.input("x", ["N", "N"], "f32")
        g.output(g.add("MatMul", [x, x]), "y")
        with pytest.raises(skerry.BudgetExceeded):  # its own limit, told by the server
            executor.execute_model(g.build(), {"x": np.ones((2000, 2000), np.float32)})
        equal(executor.execute_model(model, inputs).outputs, model, inputs, 1e-10)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_width_of_circuits_inside_of_a_model_counts_for_the_tenants_quota(tmp_path: Path, workers: str) -> None:
    model, inputs = wide_hybrid()
    key = hashlib.sha256(b"secret").hexdigest()
    (tmp_path / "keys").write_text(f"tenant small qubits=13\nann {key} infer,circuits tenant=small\n")
    with servers.serving(tmp_path, "--keys", tmp_path / "keys", "--workers", workers) as server:
        address = f"http://{server.host}:{server.port}"
        config = EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=address, cloud_api_key="secret")
        with pytest.raises(skerry.Error, match="14 qubits and your tenant may use 13"):
            EdgeExecutor(config).execute_model(model, inputs)
        fits = EdgeExecutor(config).execute_model(DIGITS, digits(1))
        assert fits.execution_method == "cloud"
        stranger = EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=address, cloud_api_key="guess")
        with pytest.raises(skerry.PermissionDenied):
            EdgeExecutor(stranger).execute_model(DIGITS, digits(1))


def test_the_command_runs_models_and_tells_where(server: servers.Server, endpoint: str, tmp_path: Path) -> None:
    model, inputs = loaded(), digits(2)
    (name,) = inputs
    np.save(tmp_path / "x.npy", inputs[name])
    outputs = model.session().run(inputs)
    output = next(iter(outputs))
    words = ("edge", "run", DIGITS, "--input", f"{name}={tmp_path}/x.npy", "--output", f"{output}={tmp_path}/y.npy")
    here = programs.ok(*words, "--json").json()
    assert here["execution_method"] == "edge" and [one["place"] for one in here["parts"]] == ["edge"]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), outputs[output])
    there = programs.ok(*words, "--max-memory-mb", "0", "--cloud-endpoint", endpoint, "--json").json()
    assert there["execution_method"] == "cloud" and there["parts"][0]["bytes_sent"] > 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), outputs[output])
    shaped = programs.ok("edge", "run", DIGITS, "--shape", f"{name}=1,1,8,8")
    assert "placement: edge" in shaped.err and "edge part:" in shaped.err and output in shaped.out
    budget = programs.run(*words, "--max-memory-mb", "0.01")
    assert budget.code == 4 and "max_memory_mb allows" in budget.err
    assert "input 'x' is missing" in programs.run("edge", "run", DIGITS).err
    for wrong in (("--shots", "5"), ("--observable", "Z0"), ("--param", "a=1"), ("--input", "z=x.npy")):
        assert programs.run("edge", "run", DIGITS, *wrong).code == 2


def test_the_route_takes_models_from_anybody_and_refuses_what_is_for_circuits(server: servers.Server) -> None:
    model, inputs = wide_hybrid()
    x = {"name": "x", "datatype": "FP64", "shape": [3, 64], "data": inputs["x"].ravel().tolist()}
    ask: dict[str, Any] = {"program": model.text(), "inputs": [x]}
    (answer,) = server.post("/v2/circuits", ask).json()["results"]
    (scores,) = answer["tensors"]
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP64", [3, 4])
    due = model.session().run(inputs)["scores"]
    np.testing.assert_allclose(np.reshape(scores["data"], (3, 4)), due, rtol=0, atol=1e-10)
    priced = server.post("/v2/circuits/plan", {**ask, "max_memory_mb": 0.1}).json()
    assert priced["method"] == "graph" and priced["fits"] is False and priced["peak_bytes"] > 2**14 * 16
    job = server.post("/v2/circuits/jobs", {**ask, "token": "a-model"})
    done = server.get(f"/v2/circuits/jobs/{job.json()['id']}/result?wait=20").json()
    assert done["results"][0]["tensors"][0]["data"] == scores["data"]
    for wrong, words in (
        ({"observables": ["Z0"]}, "observables"),
        ({"parameters": [0.1]}, "parameter_sets"),
        ({"inputs": []}, "'x' is missing"),
        ({"inputs": [x, x]}, "given twice"),
        ({"inputs": [{**x, "name": "z"}]}, "no input 'z'"),
        ({"program": "OPENQASM 3.0; qubit[1] q; U(0,0,0) q[0];"}, "takes no tensors"),
    ):
        refused = server.post("/v2/circuits", {**ask, **wrong})
        assert refused.status == 400 and words in refused.json()["error"]


def test_shots_inside_of_a_model_are_announced_before_they_are_drawn(server: servers.Server, endpoint: str) -> None:
    g = GraphBuilder("drawn")
    x = g.input("x", ["N", 1], "f64")
    g.output(g.circuit(Circuit(1).ry(skerry.Parameter("a"), 0), x, [Observable.parse("Z0", 1)]), "y")
    text = g.build().text()
    text = text.replace("observables = ", 'output = "counts", shots = 100, seed = 3, observables = ')
    drawn = skerry.loads(text.replace("f64[N,1] = circuit", "f64[N,2] = circuit"))
    assert isinstance(drawn, Model)
    inputs = {"x": np.array([[0.3], [1.2]])}
    done = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=endpoint)).execute_model(drawn, inputs)
    equal(done.outputs, drawn, inputs, 0)
    tensor = {"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [0.3, 1.2]}
    ask = {"program": drawn.text(), "inputs": [tensor], "shots": 199}
    refused = server.post("/v2/circuits", ask)
    assert refused.status >= 400 and "draw 200 shots and 199 are announced" in refused.json()["error"]
