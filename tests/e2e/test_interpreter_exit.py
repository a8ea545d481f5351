"""An interpreter that ends while a BatchingManager or an EdgeAIEngine lives, and Ctrl-C while one waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

BEGIN = """
import threading, time
import numpy, skerry
from skerry.batching import BatchingManager
from skerry.engine import EdgeAIEngine

graph = skerry.GraphBuilder()
graph.output(graph.add("Relu", [graph.input("x", ["N", 4])], name="y"))
model = graph.build()

def row():
    return {"x": numpy.ones((1, 4), numpy.float32)}

def started():
    engine = EdgeAIEngine()
    engine.init()
    engine.load("m", model)
    return engine

def for_ever(work):
    def loop():
        try:
            while True:
                work()
        except skerry.Unavailable:
            pass
    for _ in range(4):
        threading.Thread(target=loop, daemon=True).start()
    time.sleep(0.1)
"""

LIVES = {
    "a manager that is idle": "living = BatchingManager(model); living.run(row())",
    "a manager whose request waits": (
        "living = BatchingManager(model, max_delay=0.3)\n"
        "threading.Thread(target=lambda: living.run(row()), daemon=True).start(); time.sleep(0.1)"
    ),
    "a manager that daemon threads ask": (
        "living = BatchingManager(model, max_delay=0.0005); for_ever(lambda: living.run(row()))"
    ),
    "an engine that is idle": "living = started(); living.infer('m', row())",
    "an engine that daemon threads ask": "living = started(); for_ever(lambda: living.infer('m', row()))",
    "both in a cycle": (
        "class Cycle: pass\n"
        "cycle = Cycle(); cycle.own = cycle; cycle.engine = started(); cycle.manager = BatchingManager(model)\n"
        "cycle.engine.infer('m', row()); cycle.manager.run(row())"
    ),
}


@pytest.mark.parametrize("what", LIVES)
def test_the_interpreter_ends_in_peace_beside(what: str) -> None:
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", BEGIN + LIVES[what] + "\nprint('end')"], capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == "end\n"
        assert "terminate" not in ended.stderr and "Fatal" not in ended.stderr, ended.stderr


def test_ctrl_c_leaves_a_manager_whose_request_waits_for_company() -> None:
    text = BEGIN + (
        # A shell's background jobs ignore it.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "living = BatchingManager(model, sizes=[4], max_delay=1000.0)\n"
        "print('waits', flush=True)\n"
        "try:\n    living.run(row())\n"
        "except KeyboardInterrupt:\n    print('left', flush=True); import os; os._exit(0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waits\n"
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        try:
            assert child.stdout.readline() == "left\n"
            assert child.wait(30) == 0
        finally:
            child.kill()
