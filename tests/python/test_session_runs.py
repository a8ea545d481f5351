"""What a run of a session obeys is that run's alone: it keeps what was compiled, and nobody's callback."""

import gc
import subprocess
import sys
import textwrap
import threading
import weakref

import numpy as np
import pytest
import skerry
from skerry.profiling import Profiler


def chain(length: int) -> skerry.Model:
    """Products, one after the other, none of which is merged with the next."""
    g = skerry.GraphBuilder()
    y = g.input("x", ["N", 32])
    for i in range(length):
        y = g.add("MatMul", [y, g.constant(np.eye(32, dtype=np.float32), f"w{i}")], name=f"y{i}")
        y = g.add("Softmax", [y], name=f"s{i}")
    g.output(y)
    return g.build()


X = {"x": np.ones((4, 32), np.float32)}


def plans_and_passes(session: skerry.Session, **how: object) -> int:
    """How many plans were made and passes run by one more run."""
    with Profiler().session("run") as recorded:
        session.run(X, **how)  # type: ignore[arg-type]
    return sum(row.count for row in recorded.totals() if row.category in ("plan", "passes"))


def test_a_run_that_tells_its_progress_compiles_nothing_again() -> None:
    session = chain(8).session(threads=1)
    heard: list[float] = []
    assert plans_and_passes(session) > 1  # it is counted at all
    assert plans_and_passes(session, progress=lambda fraction, stage: heard.append(fraction)) == 0
    assert plans_and_passes(session, progress=lambda fraction, stage: heard.append(fraction)) == 0
    assert plans_and_passes(session) == 0
    assert heard
    assert all(0 <= fraction <= 1 for fraction in heard)


class EnoughError(Exception):
    pass


def raises(fraction: float, stage: str) -> None:
    raise EnoughError(stage)


def test_a_callback_that_raises_ends_that_run_with_its_exception_and_no_other() -> None:
    session = chain(8).session(threads=1)
    expected = session.run(X)
    for _ in range(3):
        with pytest.raises(EnoughError):
            session.run(X, progress=raises)
        with pytest.raises(EnoughError):
            session.run_with_report(X, progress=raises)
    assert plans_and_passes(session) == 0
    for name, array in session.run(X).items():
        assert np.array_equal(array, expected[name])


def test_inputs_that_are_refused_leave_the_session_compiled() -> None:
    session = chain(2).session(threads=1)
    session.run(X)
    with pytest.raises(skerry.TypeMismatch):
        session.run({"x": np.ones((4, 31), np.float32)})
    with pytest.raises(skerry.InvalidArgument):
        session.run({"y": np.ones((4, 32), np.float32)})
    assert plans_and_passes(session) == 0


def test_runs_of_several_threads_tell_each_its_own_listener() -> None:
    session = chain(8).session(threads=1)
    session.run(X)
    heard: list[set[int]] = []

    def run() -> None:
        own: list[int] = []
        for _ in range(20):
            session.run(X, progress=lambda fraction, stage: own.append(threading.get_ident()))
        heard.append({*own} - {threading.get_ident()})
        assert own

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [set()] * 4  # news of one's own run, told where it is done


def test_a_session_holds_no_callback_after_its_run() -> None:
    class Listener:
        def __call__(self, fraction: float, stage: str) -> None:
            pass

    session = chain(2).session(threads=1)
    listener = Listener()
    alive = weakref.ref(listener)
    session.run(X, progress=listener)
    del listener
    assert alive() is None


def collected(code: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: nanobind tells at its end what was not freed."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


START = """
import gc, numpy as np, skerry
from skerry.memory import MemoryManager
g = skerry.GraphBuilder()
g.output(g.add("Relu", [g.input("x", ["N", 2])], name="y"))
model, x = g.build(), {"x": np.ones((1, 2), np.float32)}
"""

# Each makes a ring: a callback that refers to what calls it.
RINGS = {
    "progress of a session": """
        def ring():
            session = model.session()
            session.run(x, progress=lambda fraction, stage: session)
    """,
    "progress that raises": """
        def ring():
            session = model.session()
            def stop(fraction, stage):
                raise ValueError(session)
            try:
                session.run(x, progress=stop)
            except ValueError:
                pass
    """,
    "progress of a stream of shots": """
        def ring():
            held = []
            held.append(skerry.stream(skerry.Circuit(2).h(0).measure_all(), shots=10, progress=lambda f, s: held))
            next(held[0])
    """,
    "pressure of a manager": """
        def ring():
            memory = MemoryManager(limit_mb=50)
            memory.on_pressure(0.5, lambda used, limit: memory.usage())
            with memory.scope("run"):
                model.session().run(x)
    """,
    "pressure of the manager of a scope": """
        def ring():
            held = []
            memory = MemoryManager(limit_mb=50)
            held.append(memory.scope("run"))
            memory.on_pressure(0.5, lambda used, limit: held)
    """,
}


@pytest.mark.parametrize("what", RINGS)
def test_a_callback_that_refers_to_its_caller_is_freed(what: str) -> None:
    done = collected(START + textwrap.dedent(RINGS[what]) + "\nring(); ring()\ngc.collect()\nprint(len(gc.garbage))\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_callbacks_of_the_main_module_end_with_the_process() -> None:
    done = collected(
        START
        + """
memory = MemoryManager(limit_mb=50)
def relieve(used, limit):
    memory.usage()
memory.on_pressure(0.5, relieve)
session = model.session()
session.run(x, progress=lambda fraction, stage: session)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_manager_that_is_gone_calls_nobody() -> None:
    from skerry.memory import MemoryManager

    asked: list[int] = []
    memory = MemoryManager(limit_mb=20)
    memory.on_pressure(1.0, lambda used, limit: asked.append(used))
    with memory.scope("a"):
        held = skerry.run(skerry.Circuit(20).h(0), state=True)
    scope = memory.scope("b")
    del memory
    gc.collect()
    with scope, pytest.raises(skerry.BudgetExceeded):  # the scope keeps the manager, and its callback
        skerry.run(skerry.Circuit(20).h(0), state=True)
    assert len(asked) >= 1
    del held, scope
    gc.collect()


@pytest.mark.skipif(sys.platform != "linux", reason="sends itself a signal")
def test_ctrl_c_ends_a_run_and_the_session_goes_on() -> None:
    code = """
import os, signal, threading, time
import numpy as np, skerry
from skerry.profiling import Profiler
signal.signal(signal.SIGINT, signal.default_int_handler)
g = skerry.GraphBuilder()
y = g.input("x", [1500, 1500])
w = g.constant(np.eye(1500, dtype=np.float32), "w")
for i in range(40):
    y = g.add("Softmax", [g.add("MatMul", [y, w], name=f"m{i}")], name=f"y{i}")
g.output(y)
session = g.build().session(threads=1)
x = {"x": np.ones((1500, 1500), np.float32)}
session.plan(x)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    while True:
        session.run(x)
except KeyboardInterrupt:
    pass
with Profiler().session("again") as recorded:
    session.run(x)
print(sum(row.count for row in recorded.totals() if row.category in ("plan", "passes")))
"""
    done = collected(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
