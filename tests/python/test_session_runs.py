"""What a run of a session obeys is that run's alone: it keeps what was compiled, and nobody's callback."""

import gc
import subprocess
import sys
import textwrap
import threading
import types
import weakref
from typing import Any

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


def two_outputs() -> skerry.Model:
    g = skerry.GraphBuilder()
    x, y = g.input("x", ["N", 3]), g.input("y", ["N", 3])
    g.output(g.add("Sub", [x, y]), "difference")
    g.output(g.add("Greater", [x, y]), "greater")
    return g.build()


def test_runs_one_like_the_other_answer_each_for_its_own_inputs() -> None:
    session = two_outputs().session(threads=1)
    random = np.random.default_rng(4)
    answers = []
    for rows in (2, 2, 2, 5, 5, 2, 0, 0, 2):
        x, y = random.standard_normal((2, rows, 3)).astype(np.float32)
        given = {"x": x, "y": y} if rows == 2 else {"y": y, "x": x}
        answers.append((x - y, x > y, session.run(given)))
    for difference, greater, found in answers:  # compared at the end: no run writes into the arrays of another
        assert list(found) == ["difference", "greater"]
        assert found["greater"].dtype == bool
        np.testing.assert_array_equal(found["difference"], difference, strict=True)
        np.testing.assert_array_equal(found["greater"], greater, strict=True)


@pytest.mark.parametrize(
    "unlike",
    ["strided", "other order", "other dtype", "short float", "list", "mapping", "scalar", "missing", "one more"],
)
def test_a_run_unlike_those_before_it_is_taken_or_refused_as_by_a_new_session(unlike: str) -> None:
    model = two_outputs()
    like = {"x": np.full((2, 3), 3, np.float32), "y": np.ones((2, 3), np.float32)}
    base = np.arange(12, dtype=np.float32).reshape(2, 6)
    given: Any = {
        "strided": {**like, "x": base[:, ::2]},
        "other order": {**like, "x": np.asfortranarray(base[:, :3])},
        "other dtype": {**like, "x": base[:, :3].astype(np.float64)},
        "short float": {**like, "x": base[:, :3].astype(np.float16)},
        "list": {**like, "x": [[1, 2, 3], [4, 5, 6]]},
        "mapping": types.MappingProxyType(like),
        "scalar": {**like, "x": np.float32(3)},
        "missing": {"x": like["x"], "z": like["y"]},
        "one more": {**like, "z": like["y"]},
    }[unlike]

    def asked(session: skerry.Session) -> Any:
        try:
            return {name: value.tolist() for name, value in session.run(given).items()}
        except skerry.Error as refused:
            return type(refused), str(refused)

    used = model.session(threads=1)
    for _ in range(3):
        used.run(like)
    assert asked(used) == asked(model.session(threads=1))
    assert used.run(like)["difference"].tolist() == [[2, 2, 2], [2, 2, 2]]


def test_a_model_that_draws_gives_the_numbers_of_the_seed_in_every_run() -> None:
    g = skerry.GraphBuilder()
    x = g.input("x", [4])
    g.output(g.add("Add", [x, g.add("RandomUniformLike", [x])]), "y")
    session = g.build().session(threads=1, seed=5)
    x_is = {"x": np.zeros(4, np.float32)}
    first = [session.run(x_is, seed=seed)["y"].tolist() for seed in (None, 1, 2)]
    again = [session.run(x_is, seed=seed)["y"].tolist() for seed in (None, 1, 2)]
    assert first == again
    assert len({str(numbers) for numbers in first}) == 3


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
