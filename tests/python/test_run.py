"""Running circuits: parameters, batches, seeds, limits, cancelling."""

import json
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry import Circuit, Observable, Parameter
from skerry.running import Precision


def ghz(num_qubits: int) -> Circuit:
    circuit = Circuit(num_qubits).h(0)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def layers(num_qubits: int, depth: int) -> Circuit:
    """Work that no optimiser makes vanish."""
    circuit = Circuit(num_qubits)
    for layer in range(depth):
        for qubit in range(num_qubits):
            circuit.rx(0.1 + 0.01 * layer + 0.003 * qubit, qubit).rz(0.2, qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def test_the_report_tells_what_was_predicted_and_paid() -> None:
    result = skerry.run(ghz(10).measure_all(), shots=100, seed=7)
    assert result.counts.keys() == {"0" * 10, "1" * 10}
    assert sum(result.counts.values()) == 100
    assert result.counts is result.counts
    assert result.method == "statevector"
    assert result.seconds > 0
    assert result.peak_bytes >= 16 * 2**10
    assert abs(result.predicted_bytes - result.peak_bytes) <= 0.1 * result.peak_bytes + 4e6


@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-10), ("single", 1e-5)])
def test_every_circuit_of_the_suite_has_its_reference_probabilities(
    circuits: Path, precision: Precision, tolerance: float
) -> None:
    manifest = json.loads((circuits / "manifest.json").read_text())
    checked = 0
    for entry in manifest["circuits"]:
        if entry["qubits"] > 20 or "ref_top16_qubit_probs" not in entry:
            continue
        program = skerry.load(circuits / entry["file"])
        assert isinstance(program, Circuit)
        state = skerry.run(program, state=True, precision=precision, params=entry.get("inputs")).state
        assert state is not None
        chances = state.probabilities()
        for bits, expected in entry["ref_top16_qubit_probs"]:
            assert chances[int(bits, 2)] == pytest.approx(expected, abs=tolerance), (entry["name"], bits)
        checked += 1
    assert checked >= 20


def test_dynamic_circuits_sample_their_reference_distribution(circuits: Path) -> None:
    manifest = json.loads((circuits / "manifest.json").read_text())
    checked = 0
    shots = 20_000
    for entry in manifest["circuits"]:
        if "ref_clbit_probs" not in entry:
            continue
        counts = skerry.run(circuits / entry["file"], shots=shots, seed=11, params=entry.get("inputs")).counts
        for bits, chance in entry["ref_clbit_probs"]:
            # Six standard deviations of a binomial count.
            assert abs(counts.get(bits, 0) - shots * chance) <= 6 * np.sqrt(shots * chance * (1 - chance)) + 1e-6
        assert set(counts) <= {bits for bits, _ in entry["ref_clbit_probs"]}
        checked += 1
    assert checked >= 3


def test_qiskit_gives_the_same_amplitudes(circuits: Path) -> None:
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Statevector

    checked = 0
    for path in sorted(circuits.glob("*.qasm")):
        if "OPENQASM 2.0" not in path.read_text():
            continue
        theirs = QuantumCircuit.from_qasm_file(str(path))
        if theirs.num_qubits > 12 or any(i.operation.name in ("reset", "if_else") for i in theirs.data):
            continue
        if any(getattr(i.operation, "condition", None) for i in theirs.data):
            continue
        theirs.remove_final_measurements()
        if theirs.count_ops().get("measure"):
            continue
        ours = skerry.run(path, state=True).state
        assert ours is not None
        overlap = abs(np.vdot(np.asarray(ours), Statevector(theirs).data))
        assert overlap == pytest.approx(1.0, abs=1e-10), path.name
        checked += 1
    assert checked >= 15


@pytest.mark.parametrize("shots", [1, 1000, 123_457])
def test_same_seed_same_counts_for_any_number_of_threads(shots: int) -> None:
    circuit = layers(15, 2).measure_all()
    one = skerry.run(circuit, shots=shots, seed=42, threads=1)
    two = skerry.run(circuit, shots=shots, seed=42, threads=2)
    assert one.counts == two.counts
    assert shots == 1 or one.counts != skerry.run(circuit, shots=shots, seed=43, threads=2).counts


def test_same_seed_same_counts_with_measurement_midway() -> None:
    circuit = Circuit(3, 3).h(0).measure(0, 0).reset(0).h(0).cx(0, 1).measure(1, 1).ry(0.7, 2).measure(2, 2)
    runs = [skerry.run(circuit, shots=500, seed=9, threads=threads, memory=True) for threads in (1, 2)]
    assert runs[0].memory == runs[1].memory
    assert len(runs[0].memory) == 500
    tally = {bits: runs[0].memory.count(bits) for bits in set(runs[0].memory)}
    assert tally == runs[0].counts


def test_nothing_asked_nothing_given() -> None:
    for circuit in (Circuit(), Circuit(0), Circuit(3), Circuit(2, 2).measure(0, 0)):
        result = skerry.run(circuit, shots=0)
        assert result.counts == {}
        assert result.expectations == []
        assert result.probabilities is None
        assert result.state is None
    assert skerry.run(Circuit(2, 2), shots=3).counts in ({"00": 3}, {})


def test_parameters_in_order_by_name_and_as_arrays_agree() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(2).rx(a, 0).ry(b, 1)
    z = [Observable.parse("Z0", 2), Observable.parse("Z1", 2)]
    expected = pytest.approx([np.cos(0.3), np.cos(1.1)], abs=1e-12)
    for params in ([0.3, 1.1], {"b": 1.1, "a": 0.3}, np.array([0.3, 1.1]), (0.3, 1.1)):
        assert skerry.run(circuit, params=params, observables=z).expectations == expected
    halves = np.array([0.25, 0.5], np.float16)
    assert skerry.run(circuit, params=halves, observables=z).expectations == pytest.approx(
        [np.cos(0.25), np.cos(0.5)], abs=1e-12
    )


def test_a_batch_gives_what_its_rows_give_alone() -> None:
    circuit = Circuit(2).rx(Parameter("a"), 0).cx(0, 1).measure_all()
    rows = np.linspace(0, 3, 5)[:, None]
    batch = skerry.run(circuit, params=rows, shots=100, seed=3)
    assert [r.counts for r in batch] == [skerry.run(circuit, params=row, shots=100, seed=3).counts for row in rows]
    states = skerry.Simulator().run(Circuit(1).ry(Parameter("t"), 0), rows)
    assert [s.amplitude(1).real for s in states] == pytest.approx(np.sin(rows[:, 0] / 2), abs=1e-12)
    assert skerry.run(circuit, params=np.zeros((0, 1))) == []


@pytest.mark.parametrize(
    "params", [None, [], [0.1, 0.2, 0.3], {"a": 0.1}, {"a": 0.1, "b": 0.2, "c": 0.3}, np.zeros((2, 2, 2))]
)
def test_wrong_parameters_are_refused(params) -> None:  # type: ignore[no-untyped-def]
    circuit = Circuit(1).rx(Parameter("a"), 0).ry(Parameter("b"), 0)
    with pytest.raises(skerry.InvalidArgument):
        skerry.run(circuit, params=params)


@pytest.mark.parametrize(
    "keywords",
    [
        {"method": "magic"},
        {"precision": "half"},
        {"max_memory_mb": -1.0},
        {"max_memory_mb": float("nan")},
        {"max_execution_time": -1.0},
        {"max_execution_time": float("nan")},
        {"threads": -2},
        {"observables": [Observable.parse("Z0", 5)]},
        {"probabilities": [7]},
        {"initial_state": np.zeros(3)},
        {"inputs": {"x": [1]}},
    ],
)
def test_wrong_options_are_refused(keywords) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(skerry.Error):
        skerry.run(Circuit(2).h(0), **keywords)


def test_a_memory_budget_is_refused_beforehand_with_need_limit_and_advice() -> None:
    began = time.perf_counter()
    with pytest.raises(skerry.BudgetExceeded) as refused:
        skerry.run(Circuit(30).h(0), state=True, max_memory_mb=64)
    assert time.perf_counter() - began < 1.0
    text = str(refused.value)
    assert isinstance(refused.value, MemoryError)
    assert "16" in text, "the need is 16 GiB"
    assert "61" in text or "64" in text, "the limit is 64 MB"
    assert refused.value.hint
    plan = skerry.plan(Circuit(30).h(0), state=True, max_memory_mb=64)
    assert plan.refusal
    assert plan.peak_bytes >= 2**34


def test_a_deadline_refuses_what_is_predicted_longer() -> None:
    with pytest.raises(skerry.DeadlineExceeded) as refused:
        skerry.run(layers(22, 200), state=True, max_execution_time=0.05)
    assert isinstance(refused.value, TimeoutError)


def test_a_deadline_stops_what_cannot_be_predicted() -> None:
    forever = Circuit.from_qasm("OPENQASM 3.0; qubit q; bit c; while (!c) { c = measure q; }")
    began = time.perf_counter()
    with pytest.raises(skerry.DeadlineExceeded):
        skerry.run(forever, shots=1, max_execution_time=0.3)
    assert 0.2 < time.perf_counter() - began < 1.5


def test_progress_rises_to_the_end_and_a_listener_that_raises_ends_the_run() -> None:
    heard: list[float] = []
    skerry.run(layers(18, 6), state=True, progress=lambda fraction, stage: heard.append(fraction))
    assert heard == sorted(heard)
    assert all(0 <= fraction <= 1 for fraction in heard)

    class EnoughError(Exception):
        pass

    def listener(fraction: float, stage: str) -> None:
        raise EnoughError(stage)

    if heard:
        with pytest.raises(EnoughError):
            skerry.run(layers(18, 6), state=True, progress=listener)


# Work of each kind that takes far longer than it is waited for; `work()` does it.
LONG = {
    # Each turn is long enough that the limit of turns lies minutes away.
    "a loop without end": """
        forever = skerry.Circuit.from_qasm(
            "OPENQASM 3.0; qubit q; qubit[12] work; bit c; while (!c) { U(1.5, 0, 0) work; c = measure q; }"
        )
        work = lambda: skerry.run(forever, shots=1)
        """,
    "a gradient": """
        ansatz = skerry.Circuit(22)
        for layer in range(12):
            for qubit in range(22):
                ansatz.ry(skerry.Parameter(f"{layer}_{qubit}"), qubit).cx(qubit, (qubit + 1) % 22)
        z = skerry.Observable.parse("Z0", 22)
        work = lambda: skerry.Simulator().value_and_grad(ansatz, z, [0.1] * 264)
        """,
    "a model": """
        import numpy
        builder = skerry.GraphBuilder()
        weight, value = builder.constant(numpy.eye(1500, dtype=numpy.float32)), builder.input("x", [1500, 1500])
        for _ in range(60):
            value = builder.add("Tanh", [builder.add("MatMul", [value, weight])])
        builder.output(value, "y")
        session = builder.build().session()
        x = numpy.zeros((1500, 1500), numpy.float32)
        work = lambda: session.run({"x": x})
        """,
}


def in_a_process(setup: str, program: str) -> str:
    script = (
        "import os, signal, sys, threading, time\nimport skerry\n" + textwrap.dedent(setup) + textwrap.dedent(program)
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_other_threads_go_on_while_one_runs() -> None:
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        result = skerry.run(layers(18, 10), state=True, threads=1)
    finally:
        done.set()
        ticker.join()
    assert ticks > 20 * result.seconds


@pytest.mark.parametrize("kind", LONG)
def test_work_of_every_kind_leaves_the_interpreter_to_others(kind: str) -> None:
    # While one thread works, this one counts; its longest wait is far below what the work takes.
    program = """
        def worker():
            try:
                work()
            except skerry.Cancelled:
                pass
        threading.Thread(target=worker, daemon=True).start()
        begin = last = time.perf_counter()
        longest = 0.0
        while last - begin < 0.6:
            time.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        print(longest, flush=True)
        os._exit(0)  # the work goes on; nobody waits for it
        """
    assert float(in_a_process(LONG[kind], program)) < 0.4


@pytest.mark.parametrize("kind", LONG)
def test_ctrl_c_stops_a_run_in_time(kind: str) -> None:
    program = """
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        sent = []
        def press():
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Timer(0.3, press).start()
        try:
            work()
        except KeyboardInterrupt:
            print(time.perf_counter() - sent[0])
            assert skerry.run(skerry.Circuit(1).x(0), shots=2).counts == {"1": 2}
            sys.exit(0)
        sys.exit("it was over before it was stopped")
        """
    assert float(in_a_process(LONG[kind], program)) < 1.0


def test_the_number_of_threads_is_a_setting() -> None:
    before = skerry.num_threads()
    try:
        skerry.set_num_threads(1)
        assert skerry.num_threads() == 1
        assert skerry.run(Circuit(2).h(0), state=True).threads == 1
    finally:
        skerry.set_num_threads(0)
    assert skerry.num_threads() == before


def test_memory_does_not_grow_over_many_runs() -> None:
    circuit = Circuit(4).rx(Parameter("t"), 0).cx(0, 1).measure_all()

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    for _ in range(500):
        skerry.run(circuit, params=[0.1], shots=10)
    before = resident()
    for _ in range(100_000):
        skerry.run(circuit, params=[0.1], shots=10)
    assert resident() - before < 2_000_000


def test_numpy_is_imported_at_first_need() -> None:
    program = (
        "import sys, skerry\n"
        "result = skerry.run(skerry.Circuit(2).h(0).cx(0, 1), shots=10, seed=1)\n"
        "assert sum(result.counts.values()) == 10 and 'numpy' not in sys.modules\n"
        "assert set(skerry.__all__) <= set(dir(skerry))\n"
        "skerry.Simulator()\n"
        "assert 'numpy' in sys.modules\n"
        "try:\n    skerry.nothing\nexcept AttributeError as error:\n    assert 'nothing' in str(error)\n"
        "else:\n    raise SystemExit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
