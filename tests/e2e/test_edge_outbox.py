"""The outbox of a machine that is offline at times: kept, sent once, answered, by real processes that are killed."""

from __future__ import annotations

import pickle
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager, JobKept, Outbox

from tests.e2e import programs, servers
from tests.e2e.edge_programs import BELL, clustered, tangled


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def config(tmp_path: Path, port: int) -> EdgeExecutionConfig:
    return EdgeExecutionConfig(
        max_memory_mb=0,
        cloud_endpoint=f"http://127.0.0.1:{port}",
        outbox_folder=tmp_path / "outbox",
        cloud_timeout=40,
        cloud_api_key="a secret of this machine",
    )


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[servers.Server]:
    with servers.serving(tmp_path, "--jobs", tmp_path / "jobs", http=f"127.0.0.1:{port}") as running:
        yield running


def jobs(server: servers.Server) -> list[dict[str, Any]]:
    """All that the server was ever given."""
    return list(server.get("/v2/circuits/jobs").json()["jobs"])


def outbox_words(config: EdgeExecutionConfig, *words: str) -> list[programs.Word]:
    endpoint = config.cloud_endpoint
    assert endpoint is not None
    return ["edge", "outbox", *words, "--json", "--outbox", str(config.outbox_folder), "--cloud-endpoint", endpoint]


def wait_for_jobs(server: servers.Server, number: int) -> None:
    deadline = time.monotonic() + 20
    while len(jobs(server)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_run_without_its_endpoint_is_kept_and_answered_later(
    config: EdgeExecutionConfig, port: int, tmp_path: Path
) -> None:
    manager = EdgeExecutionManager(config)
    kept = []
    for ask in ({"observables": ["Z0 Z1", "X0"]}, {"shots": 500, "seed": 3}, None):
        with pytest.raises(JobKept, match="waits in the outbox") as told:
            manager.compile_and_execute(BELL, ask)
        kept.append(told.value.id)
        assert pickle.loads(pickle.dumps(told.value)).id == told.value.id
    with pytest.raises(JobKept) as again:
        manager.compile_and_execute(BELL, {"shots": 500, "seed": 3})
    assert again.value.id == kept[1]
    assert [entry.id for entry in manager.outbox.entries()] == kept
    assert manager.get_performance_statistics()["total_executions"] == 0

    folder = Path(config.outbox_folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"a secret of this machine" not in file.read_bytes()

    still = programs.run(*outbox_words(config, "send"))
    assert still.code == 5
    assert all(entry["state"] == "waiting" and entry["finding"] for entry in still.json()["entries"])
    with servers.serving(tmp_path, http=f"127.0.0.1:{port}") as server:
        sent = programs.ok(*outbox_words(config, "send")).json()
        assert [(entry["id"], entry["state"]) for entry in sent["entries"]] == [(one, "done") for one in kept]
        assert sorted(job["token"] for job in jobs(server)) == sorted(kept)
    here = EdgeExecutionManager()
    values, samples, state = (manager.outbox.result(one) for one in kept)  # the endpoint is gone again
    assert values.execution_method == "cloud"
    np.testing.assert_allclose(
        values.expectations, here.compile_and_execute(BELL, {"observables": ["Z0 Z1", "X0"]}).expectations, atol=1e-12
    )
    assert samples.counts == here.compile_and_execute(BELL, {"shots": 500, "seed": 3}).counts
    assert state.state is not None
    np.testing.assert_allclose(state.state, here.compile_and_execute(BELL).state, atol=1e-12)
    shown = programs.ok(*outbox_words(config, "result", kept[1])).json()
    assert shown["execution_method"] == "cloud"
    for one in kept:
        programs.ok(*outbox_words(config, "drop", one))
    assert programs.ok(*outbox_words(config, "list")).json()["entries"] == []
    with pytest.raises(skerry.NotFound):
        manager.outbox.result(kept[0])


def hybrid() -> tuple[skerry.Model, dict[str, np.ndarray]]:
    """Weights, a circuit and its means."""
    a, b = skerry.Parameter("a"), skerry.Parameter("b")
    circuit = skerry.Circuit(3).ry(a, 0).ry(b, 1).cx(0, 2).cx(1, 2)
    g = skerry.GraphBuilder("hybrid")
    angles = g.add("MatMul", [g.input("x", ["N", 8], "f64"), g.constant(np.linspace(-1, 1, 16).reshape(8, 2), "w")])
    g.output(g.circuit(circuit, angles, [skerry.Observable.parse(text, 3) for text in ("Z0", "Z2 X1")]), "means")
    return g.build(), {"x": np.random.default_rng(3).random((4, 8))}


def test_models_and_hybrids_wait_like_circuits(config: EdgeExecutionConfig, port: int, tmp_path: Path) -> None:
    model = skerry.load(servers.MODEL)
    assert isinstance(model, skerry.Model)
    digits = {"x": np.random.default_rng(0).random((3, 1, 8, 8), np.float32)}
    asked = [(model, digits), hybrid(), (model, {"x": digits["x"][:1]})]
    manager = EdgeExecutionManager(config)
    kept = []
    for program, inputs in asked:
        with pytest.raises(JobKept, match="waits in the outbox") as told:
            manager.compile_and_execute(program, inputs)
        kept.append(told.value.id)
    with pytest.raises(JobKept) as again:
        manager.compile_and_execute(*asked[1])
    assert again.value.id == kept[1]  # the same question waits once
    assert [entry.id for entry in manager.outbox.entries()] == kept
    still = programs.run(*outbox_words(config, "send"))
    assert still.code == 5 and len(still.json()["entries"]) == 3

    with servers.serving(tmp_path, "--jobs", tmp_path / "jobs", http=f"127.0.0.1:{port}") as server:
        # What comes through meanwhile is that job, and waits no more.
        other = EdgeExecutionManager(config)
        came = other.compile_and_execute(*asked[2])
        assert came.execution_method == "cloud"
        assert [entry.id for entry in manager.outbox.entries()] == kept[:2]
        sent = programs.ok(*outbox_words(config, "send")).json()
        assert [(entry["id"], entry["state"]) for entry in sent["entries"]] == [(one, "done") for one in kept[:2]]
        assert set(kept[:2]) <= {job["token"] for job in jobs(server)}
    for one, (program, inputs) in zip(kept[:2], asked[:2], strict=True):  # the endpoint is gone again
        answer = manager.outbox.result(one)
        assert answer.execution_method == "cloud"
        due = program.session().run(inputs)
        assert answer.outputs.keys() == due.keys()
        for name, array in due.items():
            assert answer.outputs[name].dtype == array.dtype
            np.testing.assert_array_equal(answer.outputs[name], array)  # the same kernels on the same machine
    file = tmp_path / "logits.npy"
    programs.ok(*outbox_words(config, "result", kept[0]), "--output", f"logits={file}")
    np.testing.assert_array_equal(np.load(file), model.session().run(digits)["logits"])


def test_a_model_that_is_larger_than_the_outbox_is_refused(tmp_path: Path, port: int) -> None:
    config = EdgeExecutionConfig(
        max_memory_mb=0,
        cloud_endpoint=f"http://127.0.0.1:{port}",
        outbox_folder=tmp_path / "outbox",
        outbox_size_mb=0.02,
    )
    with pytest.raises(skerry.LimitExceeded, match="does not wait in the outbox"):
        EdgeExecutionManager(config).compile_and_execute(servers.MODEL, {"x": np.zeros((40, 1, 8, 8), np.float32)})


def test_without_fallback_nothing_is_kept(config: EdgeExecutionConfig) -> None:
    alone = EdgeExecutionConfig(
        max_memory_mb=0,
        cloud_endpoint=config.cloud_endpoint,
        outbox_folder=config.outbox_folder,
        fallback_to_cloud=False,
    )
    manager = EdgeExecutionManager(alone)
    with pytest.raises(skerry.BudgetExceeded):
        manager.compile_and_execute(BELL)
    with pytest.raises(skerry.InvalidArgument, match="fallback_to_cloud"):
        manager.outbox.keep(manager.compiler.compile_circuit(BELL))
    assert manager.outbox.entries() == []


def test_a_run_whose_endpoint_is_silent_or_left_alone_is_kept_too(tmp_path: Path, port: int) -> None:
    silent = EdgeExecutionConfig(
        max_memory_mb=0,
        cloud_endpoint=f"http://127.0.0.1:{port}",
        outbox_folder=tmp_path / "outbox",
        cloud_timeout=0.5,
    )
    kept: list[str] = []
    with servers.serving(tmp_path, http=f"127.0.0.1:{port}") as server:
        server.process.send_signal(signal.SIGSTOP)  # the kernel takes connections, and nobody answers
        try:
            manager = EdgeExecutionManager(silent)
            for angle in range(4):
                begin = time.monotonic()
                with pytest.raises(JobKept) as told:
                    manager.compile_and_execute([{"gate": "RX", "qubit": 0, "angle": 0.1 * angle}], {"shots": 5})
                took = time.monotonic() - begin
                kept.append(told.value.id)
                if angle < 3:
                    assert "has not answered within cloud_timeout" in str(told.value) and took > 0.45
                else:  # three silences in a row: the breaker is open, and nobody waits
                    assert "is down" in str(told.value) and took < 0.4
            assert [entry.id for entry in manager.outbox.entries()] == kept
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert {entry.state for entry in Outbox(silent).send()} == {"done"}
        assert sorted(job["token"] for job in jobs(server)) == sorted(kept)


def test_what_runs_here_is_not_kept_when_the_endpoint_is_away(config: EdgeExecutionConfig) -> None:
    roomy = EdgeExecutionConfig(cloud_endpoint=config.cloud_endpoint, outbox_folder=config.outbox_folder)
    manager = EdgeExecutionManager(roomy)
    assert manager.compile_and_execute(BELL).execution_method == "edge"
    assert manager.outbox.entries() == []


def test_an_execution_that_comes_through_takes_its_entry_along(
    config: EdgeExecutionConfig, port: int, tmp_path: Path
) -> None:
    ask = {"observables": ["Z0"]}
    with pytest.raises(JobKept) as told:
        EdgeExecutionManager(config).compile_and_execute(BELL, ask)
    with servers.serving(tmp_path, http=f"127.0.0.1:{port}") as server:
        later = EdgeExecutionManager(config)
        assert later.compile_and_execute(BELL, ask).execution_method == "cloud"
        assert later.outbox.entries() == []
        assert [job["token"] for job in jobs(server)] == [told.value.id]


def test_a_sender_that_is_killed_sends_once(config: EdgeExecutionConfig, server: servers.Server) -> None:
    outbox = Outbox(config)
    entry = outbox.keep(
        EdgeExecutionManager().compiler.compile_circuit(tangled(20, 12), "low"), {"observables": ["Z0"]}
    )
    sender = programs.start(*outbox_words(config, "send"))
    wait_for_jobs(server, 1)
    sender.kill()
    sender.communicate()
    assert sender.returncode == -signal.SIGKILL
    assert [one.state for one in outbox.entries()] == ["waiting"]
    assert [(one.id, one.state) for one in outbox.send()] == [(entry, "done")]
    assert [(job["token"], job["state"]) for job in jobs(server)] == [(entry, "done")]
    here = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=500)).compile_and_execute(
        tangled(20, 12), {"observables": ["Z0"]}, "low"
    )
    np.testing.assert_allclose(outbox.result(entry).expectations, here.expectations, atol=1e-10)


def test_senders_killed_at_any_moment_lose_and_repeat_nothing(
    config: EdgeExecutionConfig, server: servers.Server
) -> None:
    outbox, compiler = Outbox(config), EdgeExecutionManager().compiler
    compiled = compiler.compile_circuit(clustered(10))
    entries = {outbox.keep(compiled, {"shots": 100, "seed": seed}) for seed in range(20)}
    assert len(entries) == 20
    moments, kills = random.Random(7), 0
    while any(one.state == "waiting" for one in outbox.entries()):
        pair = [programs.start(*outbox_words(config, "send")) for _ in range(2)]
        time.sleep(0.01 + 0.06 * moments.random())
        for one in pair:
            one.kill()
            one.communicate()
            kills += one.returncode == -signal.SIGKILL
        if kills > 16:
            outbox.send()
    assert kills > 0
    assert {(one.id, one.state) for one in outbox.entries()} == {(entry, "done") for entry in entries}
    assert sorted(job["token"] for job in jobs(server)) == sorted(entries)
    assert all(sum(outbox.result(entry).counts.values()) == 100 for entry in entries)


def test_a_server_that_is_killed_with_its_jobs_on_disk_runs_each_once(
    config: EdgeExecutionConfig, port: int, tmp_path: Path
) -> None:
    words = ("--jobs", tmp_path / "jobs")
    outbox = Outbox(config)
    compiled = EdgeExecutionManager().compiler.compile_circuit(tangled(18, 6), "low")
    entries = [outbox.keep(compiled, {"shots": 10, "seed": seed}) for seed in range(3)]
    first = servers.launch(tmp_path, *words, http=f"127.0.0.1:{port}")
    sender = programs.start(*outbox_words(config, "send"))
    wait_for_jobs(first, 1)
    servers.stop(first, signal.SIGKILL)
    out, _ = sender.communicate(timeout=60)
    assert sender.returncode == 5, out
    with servers.serving(tmp_path, *words, http=f"127.0.0.1:{port}") as second:
        assert [one.state for one in outbox.send()] in (["done"] * 3, ["done"] * 2, ["done"])
        assert sorted(job["token"] for job in jobs(second)) == sorted(entries)
    assert [one.state for one in outbox.entries()] == ["done"] * 3


def test_a_damaged_entry_is_told_and_left_aside(config: EdgeExecutionConfig, server: servers.Server) -> None:
    outbox = Outbox(config)
    compiled = EdgeExecutionManager().compiler.compile_circuit(BELL)
    hurt, whole = (outbox.keep(compiled, {"shots": 10, "seed": seed}) for seed in range(2))
    file = Path(config.outbox_folder) / f"{hurt}.job"
    file.write_bytes(file.read_bytes()[:-7])
    damaged = file.read_bytes()
    sent = programs.ok(*outbox_words(config, "send")).json()["entries"]
    assert {(one["id"], one["state"]) for one in sent} == {(hurt, "damaged"), (whole, "done")}
    assert f"{hurt}.job" in next(one["finding"] for one in sent if one["id"] == hurt)
    assert file.read_bytes() == damaged
    assert [job["token"] for job in jobs(server)] == [whole]


def test_what_the_endpoint_refuses_has_failed_with_its_reason(
    config: EdgeExecutionConfig, port: int, tmp_path: Path
) -> None:
    outbox = Outbox(config)
    compiler = EdgeExecutionManager().compiler
    large = outbox.keep(compiler.compile_circuit(tangled(20, 1), "low"))
    small = outbox.keep(compiler.compile_circuit(BELL))
    with servers.serving(tmp_path, "--max-memory-mb", "4", http=f"127.0.0.1:{port}"):
        sent = {one.id: one for one in outbox.send()}
        assert sent[small].state == "done"
        assert sent[large].state == "failed"
        assert "memory" in sent[large].finding
        assert outbox.send() == []  # a second time would be refused as well
    with pytest.raises(skerry.BudgetExceeded):
        outbox.result(large)


def test_entries_belong_to_their_endpoint(config: EdgeExecutionConfig, tmp_path: Path) -> None:
    outbox = Outbox(config)
    entry = outbox.keep(EdgeExecutionManager().compiler.compile_circuit(BELL))
    with servers.serving(tmp_path) as other:
        elsewhere = EdgeExecutionConfig(
            cloud_endpoint=f"http://127.0.0.1:{other.port}", outbox_folder=config.outbox_folder
        )
        (told,) = Outbox(elsewhere).send()
        assert (told.id, told.state) == (entry, "waiting")
        assert config.cloud_endpoint is not None
        assert config.cloud_endpoint in told.finding
        assert jobs(other) == []


def test_processes_that_keep_at_once_stay_inside_the_bound(config: EdgeExecutionConfig) -> None:
    program = (
        "import sys, skerry\nfrom skerry.edge import *\n"
        "config = EdgeExecutionConfig(cloud_endpoint=sys.argv[1], outbox_folder=sys.argv[2], outbox_size_mb=0.02)\n"
        "compiled = CircuitCompiler(config).compile_circuit([{'gate': 'H', 'qubit': 0}])\n"
        "outbox = Outbox(config)\n"
        "for seed in range(100):\n"
        "    try:\n"
        "        print(outbox.keep(compiled, {'shots': 1, 'seed': int(sys.argv[3]) + seed}))\n"
        "    except skerry.LimitExceeded as full:\n"
        "        assert 'outbox_size_mb' in full.hint\n"
        "        break\n"
        "else:\n    sys.exit('never full')\n"
    )
    words = [sys.executable, "-c", program, str(config.cloud_endpoint), str(config.outbox_folder)]
    several = [subprocess.Popen([*words, str(1000 * number)], stdout=subprocess.PIPE, text=True) for number in range(3)]
    told = [one.communicate(timeout=60)[0].split() for one in several]
    assert [one.returncode for one in several] == [0, 0, 0]
    assert sorted(one for some in told for one in some) == sorted(entry.id for entry in Outbox(config).entries())
    assert sum(file.stat().st_size for file in Path(config.outbox_folder).iterdir()) <= 20_000
