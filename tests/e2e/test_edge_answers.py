"""An endpoint that answers another question than was asked, in every way in which it is asked: never a success."""

from __future__ import annotations

import contextlib
import http.server
import json
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager, JobKept

REPORT = {"method": "statevector", "predicted_bytes": 64, "peak_bytes": 64, "predicted_seconds": 1e-6, "seconds": 2e-6}
PAIR = skerry.Circuit(2).h(0).cx(0, 1)
JOB = "0123456789abcdef0123456789abcdef"


class Liar:
    """A server of the protocol that gives `answers`, whatever it is asked."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.asked: list[str] = []
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def say(self, status: int, body: Any) -> None:
                text = json.dumps(body).encode()
                with contextlib.suppress(ConnectionError):  # a client that has read enough hangs up
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def reply(self) -> None:
                liar.asked.append(self.path)
                self.say(200, {"results": [{"report": REPORT, **one} for one in liar.answers]})

            def do_GET(self) -> None:
                self.reply()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.endswith("/jobs"):
                    return self.say(202, {"id": JOB, "state": "running"})
                return self.reply()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def liar() -> Iterator[Liar]:
    made = Liar()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def numbers(*shape: int, ones: int = 0) -> dict[str, Any]:
    size = 1
    for one in shape:
        size *= one
    return {"datatype": "FP64", "shape": list(shape), "data": [1.0] * ones + [0.0] * (size - ones)}


SHOTS, VALUES, STATE = {"shots": 100, "seed": 3}, {"observables": ["Z0"]}, {"initial_state": [1, 0, 0, 0]}
WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (SHOTS, {}, "100 shots were asked for and 0 came"),
    (SHOTS, {"counts": {"00": 50}}, "100 shots were asked for and 50 came"),
    (SHOTS, {"counts": {"00": 101}}, "101 came"),
    (SHOTS, {"counts": {"00000": 100}}, "2 bits and one of 5"),
    (SHOTS, {"counts": {"0x": 100}}, "other letters"),
    (SHOTS, {"counts": {"00": -100}}, "not understood"),
    (SHOTS, {"counts": {"00": 100}, "expectations": [0.1]}, "0 expectation values were asked for"),
    (VALUES, {}, "1 expectation values were asked for and 0 came"),
    (VALUES, {"expectations": [0.5, 0.6]}, "and 2 came"),
    (VALUES, {"expectations": [7.0]}, "within 1 of 0 and 7 came"),
    (VALUES, {"expectations": [None]}, "not understood"),
    (STATE, {}, "the state was asked for"),
    (STATE, {"state": numbers(2, 2, ones=1)}, r"4 amplitudes and \[2\]"),
    (STATE, {"state": numbers(3, 2, ones=1)}, r"4 amplitudes and \[3\]"),
    (STATE, {"state": numbers(8, 2, ones=1)}, r"4 amplitudes and \[8\]"),
    (STATE, {"state": numbers(4, 2)}, "not to 1"),
    (STATE, {"state": numbers(4, 2, ones=8)}, "not to 1"),
]


def far(liar: Liar, **more: Any) -> EdgeExecutionManager:
    return EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=liar.url, cloud_timeout=5, **more))


@pytest.mark.parametrize(("ask", "answer", "why"), WRONG)
def test_a_wrong_or_partial_answer_is_never_a_success(
    liar: Liar, tmp_path: Path, ask: dict[str, Any], answer: dict[str, Any], why: str
) -> None:
    liar.answers = [answer]
    manager = far(liar)
    with pytest.raises(skerry.Unavailable, match=f"(?s){liar.url}.*{why}"):
        manager.compile_and_execute(PAIR, ask)
    assert manager.get_performance_statistics()["total_executions"] == 0
    assert len(liar.asked) == 1, "asked again it would say the same"
    keeping = far(liar, outbox_folder=tmp_path / "outbox")
    with pytest.raises(JobKept, match=why):
        keeping.compile_and_execute(PAIR, ask)
    (entry,) = keeping.outbox.send()
    assert entry.state == "waiting"
    assert re.search(why, entry.finding)
    assert [one.state for one in keeping.outbox.entries()] == ["waiting"]


def test_another_number_of_answers_is_none(liar: Liar) -> None:
    for answers in ([], [{"expectations": [0.5]}] * 2):
        liar.answers = answers
        with pytest.raises(skerry.Unavailable, match="1 answers were asked for"):
            far(liar).compile_and_execute(PAIR, VALUES)


def test_wrong_answers_open_the_breaker_like_silence_does(liar: Liar) -> None:
    liar.answers = [{}]
    manager = far(liar)
    for _ in range(3):
        with pytest.raises(skerry.Unavailable, match="does not fit the question"):
            manager.compile_and_execute(PAIR, VALUES)
    with pytest.raises(skerry.Unavailable, match=r"failed 3 times|is down"):
        manager.compile_and_execute(PAIR, VALUES)
    assert len(liar.asked) == 3


def test_a_run_that_is_moved_on_its_way_gets_no_wrong_answer_either(liar: Liar) -> None:
    liar.answers = [{"counts": {"00": 3}}]
    endless = "OPENQASM 3.0; qubit q; bit c; while (!c) { reset q; U(0.02,0,0) q; c = measure q; }"
    manager = EdgeExecutionManager(
        EdgeExecutionConfig(max_execution_time=0.05, cloud_endpoint=liar.url, cloud_timeout=5)
    )
    with pytest.raises(skerry.Error, match="does not fit the question"):
        manager.compile_and_execute(endless, {"shots": 20000, "seed": 1})


def lopsided() -> skerry.Circuit:
    """Twelve qubits and six that meet once: at 0.12 MB the wide part goes to the endpoint."""
    draw = random.Random(1)
    circuit = skerry.Circuit(18)
    for qubit in range(18):
        circuit.ry(0.3 + 0.1 * qubit, qubit)
    for _ in range(10):
        for part in (range(12), range(12, 18)):
            order = list(part)
            draw.shuffle(order)
            for a, b in zip(order[::2], order[1::2], strict=True):
                circuit.cx(a, b)
                circuit.u(draw.random(), draw.random(), draw.random(), a)
                circuit.u(draw.random(), draw.random(), draw.random(), b)
    return circuit


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("ask", [{"observables": ["Z5 Z13", "X0 X15"]}, {"shots": 100, "seed": 1}])
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"expectations": [0.5]},
        {"expectations": [0.1] * 10_000},
        {"state": numbers(2, 2, ones=1), "expectations": [0.1] * 64},
        {"state": numbers(2, 2, ones=1)},
        {"counts": {"0" * 12: 100}},
        {"counts": {"0" * 12: 100}, "memory": {"datatype": "UINT64", "shape": [1, 1], "data": [0]}},
    ],
)
def test_a_piece_that_comes_back_wrong_ends_the_whole(
    liar: Liar, answer: dict[str, Any], ask: dict[str, Any], joined: bool
) -> None:
    liar.answers = [answer]
    circuit = lopsided()
    if joined:
        circuit.cz(5, 13)
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0.12, cloud_endpoint=liar.url, cloud_timeout=5))
    with pytest.raises((skerry.Unavailable, skerry.BudgetExceeded)):
        manager.compile_and_execute(circuit, ask)
    assert manager.get_performance_statistics()["total_executions"] == 0


def test_the_pieces_of_the_lopsided_circuit_really_go_to_the_endpoint(liar: Liar) -> None:
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0.12, cloud_endpoint=liar.url))
    placed = manager.place(lopsided(), {"observables": ["Z5 Z13"]})
    assert placed.method == "hybrid"
    assert placed.split is not None
    assert {piece.place for piece in placed.split.pieces} == {"edge", "cloud"}


def test_an_answer_far_too_large_is_refused_by_its_length(liar: Liar) -> None:
    liar.answers = [{"expectations": [0.5], "name": "x" * 3_000_000}]
    with pytest.raises(skerry.Unavailable, match="longer than"):
        far(liar).compile_and_execute(PAIR, VALUES)
    liar.answers = [{"expectations": [0.5], "name": "x" * 10_000}]
    assert far(liar).compile_and_execute(PAIR, VALUES).expectations == [0.5]


def test_a_model_from_the_outbox_is_answered_by_its_own_outputs_alone(liar: Liar, tmp_path: Path) -> None:
    g = skerry.GraphBuilder("sum")
    g.output(g.add("Add", [g.input("x", ["N"], "f32"), g.constant(np.ones(1, np.float32), "one")]), "y")
    model, inputs = g.build(), {"x": np.zeros(3, np.float32)}
    manager = far(liar, outbox_folder=tmp_path / "outbox")
    wrong = {"name": "y", "datatype": "FP32", "shape": [4], "data": [1, 1, 1, 1]}
    liar.answers = [{"tensors": [wrong]}]
    with pytest.raises(JobKept, match="does not fit the question"):
        manager.compile_and_execute(model, inputs)
    (entry,) = manager.outbox.send()
    assert entry.state == "waiting" and "does not fit the question" in entry.finding
    liar.answers = [{"tensors": [{**wrong, "shape": [3], "data": [1, 1, 1]}]}]
    (entry,) = manager.outbox.send()
    assert entry.state == "done"
    np.testing.assert_array_equal(manager.outbox.result(entry.id).outputs["y"], np.ones(3, np.float32))
