"""State vectors on disk, and shots in a stream: what a run in memory gives, in less of it."""

import contextlib
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry import Circuit

LAYERS = textwrap.dedent(
    """
    import sys
    import numpy, skerry

    def layers(num_qubits, depth):
        circuit = skerry.Circuit(num_qubits)
        for layer in range(depth):
            for qubit in range(num_qubits):
                circuit.rx(0.1 + 0.01 * layer + 0.003 * qubit, qubit).rz(0.2, qubit)
            for qubit in range(num_qubits - 1):
                circuit.cx(qubit, qubit + 1)
        return circuit
    """
)
RUN = LAYERS + textwrap.dedent(
    """
    print("ready", flush=True)
    result = skerry.run(layers(18, 12), state=True, shots=1000, seed=3, precision="single", max_memory_mb=2,
                        disk=sys.argv[1], checkpoint=True)
    numpy.save(sys.argv[2], numpy.asarray(result.state))
    print(sorted(result.counts.items()))
    """
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    yield place


def start(folder: Path, state: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), str(state)], stdout=subprocess.PIPE, text=True)


def passes_done(folder: Path) -> int:
    for journal in folder.glob("*.journal"):
        with contextlib.suppress(FileNotFoundError):  # the run may end meanwhile
            return int(journal.read_text().splitlines()[1].split()[0])
    return 0


def kill_after(passes: int, folder: Path, state: Path, pause: float) -> None:
    """Kills a run once it has so many passes behind it and some time more, wherever it then is."""
    for _ in range(20):  # on a busy machine a run may be over before it is killed
        child = start(folder, state)
        assert child.stdout is not None
        child.stdout.readline()
        while child.poll() is None and passes_done(folder) < passes:
            time.sleep(0.001)
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        child.stdout.close()
        if child.wait() == -signal.SIGKILL and passes_done(folder) >= passes:
            return
    raise AssertionError("every run was over before it could be killed")


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bits(folder: Path, tmp_path: Path) -> None:
    whole = start(folder, tmp_path / "whole.npy")
    expected, _ = whole.communicate(timeout=120)
    assert whole.returncode == 0
    assert list(folder.iterdir()) == []
    moments = random.Random(5)
    resumed_from = []
    for passes in ([0], [1, 3], [2, 5]):
        # Each start goes on where the last one was killed.
        for target in passes:
            kill_after(target, folder, tmp_path / "resumed.npy", moments.uniform(0, 0.01))
        resumed_from.append(passes_done(folder))
        last = start(folder, tmp_path / "resumed.npy")
        found, _ = last.communicate(timeout=120)
        assert last.returncode == 0
        assert found == expected
        assert (tmp_path / "resumed.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
        assert list(folder.iterdir()) == []
    assert max(resumed_from) >= 3, "no kill came after a pass"


def stopped_midway(folder: Path, state: Path) -> "subprocess.Popen[str]":
    """A run that is halted while its state is in the folder."""
    for _ in range(20):  # on a busy machine a run may be over before it is stopped
        child = start(folder, state)
        assert child.stdout is not None
        child.stdout.readline()
        while not list(folder.glob("*.a")) and child.poll() is None:
            time.sleep(0.002)
        child.send_signal(signal.SIGSTOP)
        if list(folder.glob("*.a")):
            return child
        child.send_signal(signal.SIGCONT)
        child.communicate(timeout=120)
    raise AssertionError("every run was over before it could be stopped")


def test_a_second_run_with_the_same_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    first = stopped_midway(folder, tmp_path / "first.npy")
    second = start(folder, tmp_path / "second.npy")
    try:
        _, _ = second.communicate(timeout=120)
        assert second.returncode != 0
    finally:
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=120)


def test_memory_stays_below_the_limit_while_the_state_is_on_disk(folder: Path) -> None:
    program = LAYERS + textwrap.dedent(
        """
        import threading, time

        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096

        circuit, most, done = layers(24, 2), [0], threading.Event()
        before = resident()

        def watch():
            while not done.wait(0.001):
                most[0] = max(most[0], resident() - before)

        watcher = threading.Thread(target=watch)
        watcher.start()
        z = skerry.Observable.parse("Z0 Z23 + X5", 24)
        result = skerry.run(circuit, observables=[z], shots=100, precision="single", max_memory_mb=64, disk=sys.argv[1])
        done.set()
        watcher.join()
        print(most[0], result.peak_bytes, result.expectations[0])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    most, peak, value = done.stdout.split()
    assert int(peak) <= 64_000_000  # of a state of 134 MB
    assert int(most) < 96 << 20
    assert -2 <= float(value) <= 2


def test_a_stream_gives_the_shots_of_a_run() -> None:
    circuit = Circuit(4).h(0).cx(0, 1).ry(0.7, 2).cx(2, 3)
    whole = skerry.run(circuit, shots=150_000, seed=5, memory=True).samples
    parts = list(skerry.stream(circuit, shots=150_000, seed=5, chunk=40_000))
    assert [len(part) for part in parts] == [40_000, 40_000, 40_000, 30_000]
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_stream_of_other_methods_follows_the_distribution() -> None:
    circuit = Circuit(80).h(0)
    for qubit in range(79):
        circuit.cx(qubit, qubit + 1)
    stream = skerry.stream(circuit, shots=100_000, seed=5, method="stabilizer", chunk=30_000)
    assert (stream.method, stream.bits) == ("stabilizer", 80)
    shots = np.concatenate(list(stream))
    ones = (shots[:, 0] == 2**64 - 1) & (shots[:, 1] == 2**16 - 1)
    assert np.array_equal(shots[~ones], np.zeros_like(shots[~ones]))
    assert abs(int(ones.sum()) - 50_000) < 1000
    again = np.concatenate(list(skerry.stream(circuit, shots=100_000, seed=5, method="stabilizer", chunk=7)))
    assert np.array_equal(again, shots)


def test_a_stream_refuses_what_is_no_shot() -> None:
    with pytest.raises(skerry.InvalidArgument, match="shots"):
        skerry.stream(Circuit(2), shots=10, chunk=0)
    with pytest.raises(skerry.InvalidArgument, match="batch"):
        skerry.stream(Circuit(2), shots=10, params=[[]])  # type: ignore[list-item]
