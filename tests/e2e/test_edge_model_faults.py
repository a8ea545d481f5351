"""Models at an endpoint that is killed, and models that take longer here than they may: once, elsewhere, or told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import GraphBuilder, Model, Observable
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager

from tests.e2e import programs, servers
from tests.e2e.test_edge_carry import LIMIT, QUBITS
from tests.e2e.test_edge_carry import swift as swift
from tests.e2e.test_edge_outbox import free_port
from tests.e2e.test_serve_circuits import JOBS
from tests.e2e.test_serve_workers import until


def hybrid(layers: int = 1500) -> Model:
    """The mean of a qubit behind a rotation by the input and some seconds of gates."""
    circuit = skerry.Circuit(QUBITS).ry(skerry.Parameter("a"), 0)
    for layer in range(layers):
        for qubit in range(QUBITS):
            circuit.u(0.1 * qubit, 0.2 * layer, 0.4, qubit)
        for qubit in range(QUBITS):
            circuit.rxx(0.3 + layer, qubit, (qubit + 1 + layer % (QUBITS - 1)) % QUBITS)
    g = GraphBuilder("hybrid")
    x = g.input("x", [1], "f64")
    g.output(g.circuit(circuit, x, [Observable.parse("Z0", QUBITS)]), "mean")
    return g.build()


@pytest.mark.parametrize("durable", [False, True], ids=["forgetful", "durable"])
def test_a_server_killed_in_the_middle_of_a_models_run_is_told_and_runs_it_once(tmp_path: Path, durable: bool) -> None:
    port = free_port()
    headers = servers.make_keys(tmp_path / "keys", {"ann": "circuits,read tenant=t"}, "tenant t seconds=1000/h")["ann"]
    words = ("--keys", tmp_path / "keys", *(("--jobs", tmp_path / "jobs") if durable else ()))
    model, inputs = hybrid(700), {"x": np.array([0.4])}
    address = f"http://127.0.0.1:{port}"
    config = EdgeExecutionConfig(
        max_memory_mb=0, cloud_endpoint=address, cloud_timeout=100,
        cloud_api_key=headers["Authorization"].removeprefix("Bearer "),
    )  # fmt: skip
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(EdgeExecutionManager(config).compile_and_execute(model, inputs))
        except skerry.Error as error:
            results.append(error)

    server = servers.launch(tmp_path, *words, http=f"127.0.0.1:{port}")

    def jobs(of: servers.Server) -> list[Any]:
        listed: list[Any] = of.get(JOBS, headers=headers).json()["jobs"]
        return listed

    asking = threading.Thread(target=run)
    asking.start()
    until(lambda: any(job["state"] == "running" for job in jobs(server)))
    servers.stop(server, signal.SIGKILL)
    asking.join()
    assert isinstance(results[0], skerry.Unavailable) and f"127.0.0.1:{port}" in str(results[0]), results
    with servers.serving(tmp_path, *words, http=f"127.0.0.1:{port}") as again:
        begun = jobs(again)
        assert len(begun) == durable  # what was acknowledged on disk is run, though nobody waits
        until(lambda: all(job["state"] == "done" for job in jobs(again)), 120)
        before = float(again.get("/v2/usage", headers=headers).json()["seconds"]["left"])
        run()
        assert results[1].execution_method == "cloud"
        assert len(jobs(again)) == durable + 1  # one for each time it was asked
        spent = before - float(again.get("/v2/usage", headers=headers).json()["seconds"]["left"])
        assert spent < 1.2 * results[1].execution_time  # the one run that came through is paid
    np.testing.assert_allclose(results[1].outputs["mean"], model.session().run(inputs)["mean"], rtol=0, atol=1e-10)


SCRIPT = """
import json, sys
import numpy as np
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager
from tests.e2e.test_edge_carry import LIMIT
from tests.e2e.test_edge_model_faults import hybrid
manager = EdgeExecutionManager(EdgeExecutionConfig(
    max_execution_time=LIMIT, cloud_endpoint=sys.argv[1], cloud_timeout=100))
try:
    result = manager.compile_and_execute(hybrid(), {"x": np.array([0.4])})
    print(json.dumps({"method": result.execution_method, "mean": result.outputs["mean"].ravel().tolist(),
                      "places": {place.method: place.reason for place in result.placement.considered},
                      "parts": [part.place for part in result.parts]}))
except skerry.Error as error:
    print(json.dumps({"error": type(error).__name__, "what": str(error)}))
"""


def overrun(swift: Path, endpoint: str) -> Any:
    """What becomes of a model that is thought to take a thousandth of its time, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, endpoint], capture_output=True, text=True, timeout=120, check=False,
        cwd=programs.REPOSITORY, env=programs.environment({"SKERRY_CACHE_DIR": str(swift)}),
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_model_that_overruns_its_time_here_is_stopped_and_run_at_the_endpoint(tmp_path: Path, swift: Path) -> None:
    with servers.serving(tmp_path) as server:
        told = overrun(swift, f"http://127.0.0.1:{server.port}")
    assert told["method"] == "cloud" and told["parts"] == ["cloud"], told
    assert told["places"]["edge"].startswith("failed: ") and f"{LIMIT:g}" in told["places"]["edge"], told
    assert "begun anew" in told["places"]["cloud"], told
    model = hybrid()
    np.testing.assert_allclose(
        told["mean"], model.session().run({"x": np.array([0.4])})["mean"].ravel(), rtol=0, atol=1e-10
    )


def test_a_model_that_overruns_its_time_and_has_nobody_to_go_to_says_so(swift: Path) -> None:
    nowhere = overrun(swift, "")
    assert nowhere["error"] == "DeadlineExceeded" and f"{LIMIT:g}" in nowhere["what"], nowhere
    gone = overrun(swift, f"http://127.0.0.1:{free_port()}")
    assert gone["error"] == "Unavailable", gone
    assert "it cannot run here either" in gone["what"] and f"{LIMIT:g}" in gone["what"], gone
