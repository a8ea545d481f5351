"""A run that overruns its time is left between two gates and goes on at the endpoint, when that is the cheaper way.

What is predicted is made a thousand times too small, in a process of its own, so that runs do overrun.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager

from tests.e2e import programs, proxies, servers

LIMIT = 1.0
QUBITS = 17


def deep(layers: int = 1500) -> skerry.Circuit:
    """Some seconds of gates that no light cone takes away."""
    circuit = skerry.Circuit(QUBITS)
    for layer in range(layers):
        for qubit in range(QUBITS):
            circuit.u(0.1 * qubit, 0.2 * layer, 0.4, qubit)
        for qubit in range(QUBITS):
            circuit.rxx(0.3 + layer, qubit, (qubit + 1 + layer % (QUBITS - 1)) % QUBITS)
    return circuit


def cliffords(rounds: int = 70_000, qubits: int = 4000) -> skerry.Circuit:
    """A tableau that is measured on and on."""
    random = np.random.default_rng(1)
    circuit = skerry.Circuit(qubits, qubits)
    for wire in random.integers(0, qubits, (rounds, 3)).tolist():
        a, b, c = wire
        circuit.h(a)
        if a != b:
            circuit.cx(a, b)
        circuit.s(b)
        circuit.measure(c, c)
    return circuit


def brickwork(layers: int = 15, qubits: int = 40) -> skerry.Circuit:
    """A chain whose bonds grow."""
    circuit = skerry.Circuit(qubits)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.u(0.1 * qubit + 0.3, 0.2 * layer, 0.4 + 0.01 * qubit * layer, qubit)
        for qubit in range(layer % 2, qubits - 1, 2):
            circuit.rxx(0.7 + 0.1 * layer, qubit, qubit + 1)
    return circuit


def noisy(layers: int, qubits: int) -> skerry.Circuit:
    circuit = skerry.Circuit(qubits, qubits)
    damping = skerry.Channel.amplitude_damping(0.01)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.u(0.1 * qubit + 0.3, 0.2 * layer, 0.4, qubit)
            circuit.channel(damping, [qubit])
        for qubit in range(layer % 2, qubits - 1, 2):
            circuit.rxx(0.3 + layer, qubit, qubit + 1)
    return circuit


def density() -> skerry.Circuit:
    return noisy(3500, 9)


def trajectories() -> skerry.Circuit:
    circuit = noisy(20, 14)
    for qubit in range(6):
        circuit.measure(qubit, qubit)
    return circuit


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that says this machine is a thousand times as fast as it is."""
    folder = tmp_path_factory.mktemp("cache")
    programs.ok("plan", programs.BELL, extra={"SKERRY_CACHE_DIR": str(folder)})
    (rates,) = folder.rglob("rates-*.txt")
    head, *rows = rates.read_text().splitlines()
    named = [row.rsplit(" ", 1) for row in rows]
    rates.write_text("\n".join([head, *(f"{name} {0.001 * float(value):.17g}" for name, value in named)]) + "\n")
    return folder


SCRIPT = """
import json, sys
import numpy as np
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager
from tests.e2e import test_edge_carry
endpoint, asks, out, program = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
circuit = getattr(test_edge_carry, program)()
manager = EdgeExecutionManager(EdgeExecutionConfig(
    max_execution_time=test_edge_carry.LIMIT, cloud_endpoint=endpoint, cloud_timeout=100, max_cuts=0,
    enable_caching=False))
told = []
for ask in asks:
    result = manager.compile_and_execute(circuit, ask, "low")
    places = {place.method: place.reason for place in result.placement.considered}
    if result.state is not None:
        np.save(out, result.state)
    told.append({"method": result.execution_method, "places": places, "counts": result.counts,
                 "expectations": list(result.expectations)})
print(json.dumps(told))
"""


def overrun(swift: Path, endpoint: str, asks: list[Any], out: Path, program: str = "deep") -> list[dict[str, Any]]:
    """What a process says whose runs take longer than it believes."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, endpoint, json.dumps(asks), str(out), program],
        cwd=programs.REPOSITORY, env=programs.environment({"SKERRY_CACHE_DIR": str(swift)}),
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def submitted(server: servers.Server) -> list[dict[str, Any]]:
    return list(server.get("/v2/circuits/jobs").json()["jobs"])


def test_what_overruns_goes_on_at_the_endpoint_and_ends_as_in_one_place(tmp_path: Path, swift: Path) -> None:
    asks: list[Any] = [None, {"shots": 300, "seed": 5, "observables": ["Z0 X3", "Y1 Y2"]}]
    with servers.serving(tmp_path, "--jobs", tmp_path / "jobs") as server:
        told = overrun(swift, f"http://127.0.0.1:{server.port}", asks, tmp_path / "state.npy")
        assert [job["state"] for job in submitted(server)] == ["done"] * 2
    for one in told:
        assert one["method"] == "cloud"
        assert "went on after" in one["places"]["cloud"], one
        assert "max_execution_time" in one["places"]["edge"] and "gates of the circuit" in one["places"]["edge"], one
    here = EdgeExecutionManager(EdgeExecutionConfig(max_execution_time=200))
    state, sampled = (here.compile_and_execute(deep(), ask, "low") for ask in asks)
    np.testing.assert_allclose(np.load(tmp_path / "state.npy"), state.state, rtol=0, atol=1e-10)
    assert told[1]["counts"] == sampled.counts
    np.testing.assert_allclose(told[1]["expectations"], sampled.expectations, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("program", "ask", "done"),
    [
        ("cliffords", {"shots": 200, "seed": 5}, "gates"),
        ("brickwork", {"shots": 200, "seed": 5, "observables": ["Z0 X3", "Y20 Y21"]}, "gates"),
        ("density", {"observables": ["Z0 X3", "Y1 Y2"]}, "gates"),
        ("trajectories", {"shots": 800, "seed": 5, "observables": ["Z0 X3"]}, "trajectories"),
    ],
)
def test_every_method_carries_what_it_computes_with(
    tmp_path: Path, swift: Path, program: str, ask: dict[str, Any], done: str
) -> None:
    with servers.serving(tmp_path, "--jobs", tmp_path / "jobs") as server:
        (told,) = overrun(swift, f"http://127.0.0.1:{server.port}", [ask], tmp_path / "none", program)
        assert [job["state"] for job in submitted(server)] == ["done"]
    assert told["method"] == "cloud"
    assert "went on after" in told["places"]["cloud"] and done in told["places"]["cloud"], told["places"]
    assert f"{done} of the circuit" in told["places"]["edge"], told["places"]
    here = EdgeExecutionManager(EdgeExecutionConfig(max_execution_time=200, max_cuts=0))
    whole = here.compile_and_execute(globals()[program](), ask, "low")
    assert told["counts"] == (whole.counts or {})
    np.testing.assert_allclose(told["expectations"], list(whole.expectations), rtol=0, atol=1e-10)


def test_over_a_slow_link_it_is_begun_anew_and_the_next_time_at_once(tmp_path: Path, swift: Path) -> None:
    ask = {"observables": ["Z0 X3"]}
    with (
        servers.serving(tmp_path, "--jobs", tmp_path / "jobs") as server,
        proxies.between(server.port, rate=300_000) as (_, address),
    ):
        first, second = overrun(swift, address, [ask, ask], tmp_path / "none")
    assert first["method"] == second["method"] == "cloud"
    assert "begun anew: the link did not carry" in first["places"]["cloud"], first
    assert "begun anew" in second["places"]["cloud"] and "link" not in second["places"]["cloud"], second
    assert "not carried over" in second["places"]["edge"] and "all anew" in second["places"]["edge"], second
    assert first["expectations"] == second["expectations"]


def test_an_endpoint_of_before_is_asked_to_begin_anew(tmp_path: Path, swift: Path) -> None:
    ask = {"shots": 200, "seed": 3}
    with (
        servers.serving(tmp_path) as server,
        proxies.before_checkpoints(server.port) as (seen, address),
    ):
        (told,) = overrun(swift, address, [ask], tmp_path / "none")
    assert "checkpoint" in seen
    assert told["method"] == "cloud"
    assert "begun anew: it does not take the checkpoint (there is no such field)" in told["places"]["cloud"], told
    here = EdgeExecutionManager(EdgeExecutionConfig(max_execution_time=200))
    assert told["counts"] == here.compile_and_execute(deep(), ask, "low").counts


def zstd_of(state: Any) -> bytes:
    """A zstd frame of one raw block (RFC 8878, 3.1.1) of a small complex128 state's byte planes."""
    planes = np.frombuffer(state.tobytes(), np.uint8).reshape(-1, 8).T.tobytes()
    size = len(planes)
    return b"\x28\xb5\x2f\xfd\xa0" + size.to_bytes(4, "little") + (size << 3 | 1).to_bytes(3, "little") + planes


def packed(way: bytes, gates: int, wires: int, rest: bytes, method: bytes = b"statevector") -> bytes:
    """A checkpoint by its format's page, whatever it holds."""
    head = b"way %s\nmethod %s\ngates %d\nshots 0\npart c128 %d\n\n" % (way, method, gates, 1 << wires)
    inner = head + rest
    return b"skerry-checkpoint 2\n" + hashlib.sha256(inner).hexdigest().encode() + b"\n" + inner


def test_checkpoints_that_are_none_are_refused_with_their_reason_and_the_server_goes_on(tmp_path: Path) -> None:
    program = b'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
    way, other = (hashlib.sha256(program + text).hexdigest().encode() for text in (b"Z0 Z1\n", b"Z0\n"))
    raw = zstd_of(np.array([np.sqrt(0.5), np.sqrt(0.5), 0, 0], complex))
    good = packed(way, 1, 2, raw)
    cases = [
        (good[:-3], 400, "corrupt", "not what was written"),
        (b"nothing", 400, "corrupt", "no end"),
        (good.replace(b"checkpoint 2", b"checkpoint 9", 1), 400, "version_too_new", "version 9"),
        (packed(b"0" * 64, 1, 2, raw), 400, "invalid_argument", "another circuit"),
        (packed(other, 1, 2, raw), 400, "invalid_argument", "other parameters or observables"),
        (packed(way, 3, 2, raw), 400, "invalid_argument", "begins with 2"),
        (packed(way, 1, 2, b"no frame"), 400, "corrupt", "zstd"),
        (packed(way, 1, 3, raw), 400, "corrupt", "zstd"),
        (packed(way, 1, 47, raw), 413, "limit_exceeded", "limit"),
        (packed(way, 1, 2, raw, b"stabilizer"), 400, "invalid_argument", "u64[8]"),
        (packed(way, 1, 2, raw, b"mps"), 400, "invalid_argument", "u8[2]"),
        (packed(way, 1, 2, raw, b"nobody"), 501, "unsupported", "nobody"),
        (packed(way, 1, 2, zstd_of(np.zeros(4, complex))), 400, "invalid_argument", "squared norm 0"),
        (packed(way, 1, 2, zstd_of(np.full(4, np.nan, complex))), 400, "invalid_argument", "squared norm"),
    ]
    with servers.serving(tmp_path) as server:

        def send(checkpoint: bytes, **more: Any) -> servers.Answer:
            head = json.dumps({"program": {"binary_data_size": len(program)}, "observables": ["Z0 Z1"],
                               "checkpoint": {"binary_data_size": len(checkpoint)}, **more}).encode()  # fmt: skip
            # The program's bytes stand first, as its field does.
            return server.post("/v2/circuits", head + program + checkpoint,
                               headers={"Inference-Header-Content-Length": str(len(head))})  # fmt: skip

        for checkpoint, status, code, words in cases:
            got = send(checkpoint)
            assert (got.status, got.json()["code"]) == (status, code), (got.body, words)
            assert words in got.json()["error"], got.body
        assert send(good, parameter_sets=[[], []]).status == 400
        assert send(good, initial_state=[[1, 0]] * 4).status == 400
        assert send(good, method="mps").status == 501
        said = send(good).json()["results"][0]
        np.testing.assert_allclose(said["expectations"], [1.0], atol=1e-12)
