"""skerry run: answers, seeds, budgets, Ctrl-C, terminals."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.e2e import programs
from tests.e2e.programs import BELL, CIRCUITS, MODELS

QFT28 = CIRCUITS / "qft_28.qasm"


def digits_input(folder: Path) -> Path:
    file = folder / "x.npy"
    np.save(file, np.random.default_rng(3).random((1, 1, 8, 8), dtype=np.float32))
    return file


def test_a_bell_pair_gives_two_outcomes_as_a_histogram() -> None:
    done = programs.ok("run", BELL, "--shots", "1000")
    rows = [line.split() for line in done.out.splitlines()]
    assert {row[0] for row in rows} == {"00", "11"}
    assert sum(int(row[1]) for row in rows) == 1000
    assert "predicted" in done.err


def test_the_same_seed_gives_the_same_counts_for_any_number_of_threads() -> None:
    file = CIRCUITS / "qv_6.qasm"
    counts = [
        programs.ok("run", file, "--shots", "5000", "--seed", "7", "--threads", threads, "--json").json()["counts"]
        for threads in ("1", "2", "3", "1")
    ]
    assert counts[0] == counts[1] == counts[2] == counts[3]
    other = programs.ok("run", file, "--shots", "5000", "--seed", "8", "--json").json()["counts"]
    assert other != counts[0]


def test_json_is_one_object_on_stdout_and_nothing_else() -> None:
    done = programs.ok("run", BELL, "--shots", "100", "--json")
    answer = done.json()
    assert answer["ok"] is True
    assert sum(answer["counts"].values()) == 100
    assert answer["method"] == "statevector"
    assert answer["seconds"] > 0
    assert done.err == ""


def test_the_process_tells_its_own_peak() -> None:
    told = programs.ok("run", BELL, "--json").json()["process_peak_bytes"]
    seen = programs.peak_bytes("run", BELL, "--json")
    assert told == pytest.approx(seen, rel=0.2)


def test_counts_come_from_standard_input_too() -> None:
    assert (
        programs.ok("run", "-", "--seed", "3", text=BELL.read_text()).out == programs.ok("run", BELL, "--seed", "3").out
    )


def test_the_content_and_not_the_suffix_says_what_a_file_is(tmp_path: Path) -> None:
    file = tmp_path / "bell.onnx"
    file.write_bytes(BELL.read_bytes())
    assert set(programs.ok("run", file, "--json").json()["counts"]) == {"00", "11"}


def test_observables_and_probabilities_are_exact_and_take_no_shots() -> None:
    answer = programs.ok("run", BELL, "--observable", "Z0 Z1", "--observable", "2*X0 X1", "--json").json()
    assert answer["expectations"] == pytest.approx([1.0, 2.0])
    assert "counts" not in answer
    exact = programs.ok("run", BELL, "--probabilities", "--json").json()["probabilities"]
    assert exact["shape"] == [4]
    assert exact["data"] == pytest.approx([0.5, 0, 0, 0.5])


def test_parameters_are_given_by_name(tmp_path: Path) -> None:
    file = tmp_path / "rx.qasm"
    file.write_text('OPENQASM 3.0;\ninclude "stdgates.inc";\ninput angle theta;\nqubit q;\nrx(theta) q;\n')
    answer = programs.ok("run", file, "--param", "theta=0.6", "--observable", "Z0", "--json").json()
    assert answer["expectations"] == pytest.approx([np.cos(0.6)], abs=1e-9)


def test_a_run_over_its_memory_is_refused_before_anything_is_allocated() -> None:
    done = programs.run("run", QFT28, "--max-memory-mb", "100", "--json")
    assert done.code == 4
    error = done.json()["error"]
    assert error["code"] == "budget_exceeded"
    need, limit = (int(number) for number in re.findall(r"\((\d+) bytes\)", error["message"]))
    assert need >= 2**28 * 16
    assert limit == 100_000_000
    assert "precision single" in error["hint"]
    assert programs.peak_bytes("run", QFT28, "--max-memory-mb", "100", "--json") < 30_000_000


def test_a_run_predicted_to_overrun_its_time_is_refused_at_once() -> None:
    begin = time.monotonic()
    done = programs.run("run", QFT28, "--precision", "single", "--max-execution-time", "0.05", "--json")
    assert time.monotonic() - begin < 5
    assert done.code == 4
    error = done.json()["error"]
    assert error["code"] == "deadline_exceeded"
    assert "predicted" in error["message"]
    assert error["hint"]


def test_a_run_that_overruns_its_time_is_stopped(tmp_path: Path) -> None:
    # No prediction knows how often a loop on measurements turns: this one waits for a rare outcome that never comes.
    file = tmp_path / "forever.qasm"
    file.write_text(
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nbit c;\nc = measure q;\nwhile (c == 0) { c = measure q; }\n'
    )
    begin = time.monotonic()
    done = programs.run("run", file, "--shots", "1", "--max-execution-time", "0.5", "--json", seconds=30)
    assert time.monotonic() - begin < 3
    assert done.code in (3, 4), done.err
    assert done.json()["error"]["code"] in ("deadline_exceeded", "limit_exceeded")


@pytest.mark.parametrize("precision", ["single", "double"])
def test_ctrl_c_stops_a_long_run_within_a_second(tmp_path: Path, precision: str) -> None:
    deep = programs.write_circuit(tmp_path / "deep.qasm", 24, 400)
    child = programs.start("run", deep, "--precision", precision, "--exact", "--json")
    done, seconds = programs.interrupt(child, 0.7)
    assert seconds < 1.0
    assert done.code == 4
    assert done.json()["error"]["code"] == "cancelled"
    assert "the run was cancelled after" in done.err


def test_ctrl_c_stops_the_drawing_of_samples() -> None:
    done, seconds = programs.interrupt(programs.start("run", BELL, "--shots", "100000000000"), 0.5)
    assert seconds < 1.0
    assert done.code == 4
    assert "cancelled" in done.err


def test_a_second_ctrl_c_ends_the_process_at_once(tmp_path: Path) -> None:
    deep = programs.write_circuit(tmp_path / "deep.qasm", 24, 400)
    child = programs.start("run", deep, "--exact")
    time.sleep(0.5)
    child.send_signal(signal.SIGSTOP)  # so that the first cannot take effect before the second is there
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGCONT)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=5)
    assert child.returncode in (130, 4)


def on_terminal(*words: str | Path, columns: int = 100) -> tuple[int, bytes]:
    """A process whose stderr is a terminal: exit code and what the terminal got."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [str(word) for word in (programs.CLI, *words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=programs.environment(),
    )
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    return child.wait(timeout=20), seen


def test_progress_is_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    deep = programs.write_circuit(tmp_path / "deep.qasm", 24, 200)
    code, seen = on_terminal("run", deep, "--exact")
    assert code == 0
    assert re.search(rb"\r\[[#.]{40}\] +\d+ %", seen)
    piped = programs.ok("run", deep, "--exact")
    assert "[" not in piped.err
    assert "\r" not in piped.err


def test_a_short_run_draws_nothing_even_on_a_terminal() -> None:
    code, seen = on_terminal("run", BELL)
    assert code == 0
    assert b"\r[" not in seen


def test_a_machine_without_home_runs() -> None:
    nowhere = {"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
    assert programs.ok("run", BELL, "--json", extra=nowhere).json()["counts"]
    assert programs.ok("plan", BELL, extra=nowhere).out


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    unwritable = {"SKERRY_CACHE_DIR": str(file / "cache")}
    assert programs.ok("run", BELL, "--json", extra=unwritable).json()["counts"]
    assert programs.ok("plan", BELL, extra=unwritable).out


def test_a_profile_names_the_slowest_step_first(tmp_path: Path) -> None:
    words = ("run", MODELS / "digits_cnn.onnx", "--input", f"x={digits_input(tmp_path)}", "--profile")
    answer = programs.ok(*words, "--json").json()
    assert answer["seconds"] == pytest.approx(sum(step["seconds"] for step in answer["steps"]))
    assert {"Conv", "Gemm"} <= {step["op"] for step in answer["steps"]}
    shares = [float(line.split("%")[0].split()[-1]) for line in programs.ok(*words).out.splitlines() if "%" in line]
    assert shares == sorted(shares, reverse=True)
    assert programs.run("run", BELL, "--profile").code == 2


def test_a_model_runs_on_a_file_and_writes_one(tmp_path: Path) -> None:
    x, y = digits_input(tmp_path), tmp_path / "y.npy"
    words = ("run", MODELS / "digits_cnn.onnx", "--input", f"x={x}")
    done = programs.ok(*words, "--json").json()
    (name,) = done["tensors"]
    programs.ok(*words, "--output", f"{name}={y}")
    logits = np.load(y)
    assert logits.shape == (1, 10)
    assert np.allclose(logits.ravel(), done["tensors"][name]["data"])


def test_a_noisy_stabilizer_circuit_gives_counts_of_events() -> None:
    file = CIRCUITS / "repetition.stim"
    done = programs.ok("run", file, "--shots", "20000", "--seed", "3", "--json")
    answer = done.json()
    assert answer["shots"] == 20000
    assert len(answer["detectors"]) == 3
    # Three rounds of four flips of one in a thousand and of one measurement of one in a hundred.
    assert all(150 < times < 900 for times in answer["detectors"])
    again = programs.ok("run", file, "--shots", "20000", "--seed", "3", "--threads", "1", "--json").json()
    assert again["detectors"] == answer["detectors"]
    refused = programs.run("run", file, "--exact")
    assert refused.code == 2 and "counts of events alone" in refused.err


def test_every_shot_is_written_to_a_file_as_text_or_as_an_array(tmp_path: Path) -> None:
    text, array = tmp_path / "shots.txt", tmp_path / "shots.npy"
    for file in (text, array):
        programs.ok("run", BELL, "--shots", "70000", "--seed", "5", "--memory", file)
    lines = text.read_text().splitlines()
    assert len(lines) == 70000
    assert set(lines) == {"00", "11"}
    shots = np.load(array)
    assert shots.shape == (70000, 1)
    assert [int(line, 2) for line in lines] == shots[:, 0].tolist()
    counts = programs.ok("run", BELL, "--shots", "70000", "--seed", "5", "--json").json()["counts"]
    assert counts["11"] == lines.count("11")


def test_a_state_that_does_not_fit_is_kept_on_disk(tmp_path: Path) -> None:
    file = CIRCUITS / "grid_rand_20.qasm"
    folder = tmp_path / "disk"
    folder.mkdir()
    shots = ("--shots", "200", "--seed", "3", "--precision", "single", "--json")
    small = (*shots, "--max-memory-mb", "4")
    assert programs.run("run", file, *small).code == 4
    disk = programs.ok("run", file, *small, "--disk", folder, "--checkpoint").json()
    memory = programs.ok("run", file, *shots).json()
    # Other sweeps round otherwise; a shot that falls on a boundary may move.
    outcomes = memory["counts"].keys() | disk["counts"].keys()
    assert sum(abs(memory["counts"].get(o, 0) - disk["counts"].get(o, 0)) for o in outcomes) <= 4
    assert disk["peak_bytes"] <= 4_000_000
    assert list(folder.iterdir()) == []


def test_gradients_are_told_by_parameter(tmp_path: Path) -> None:
    file = tmp_path / "ansatz.qasm"
    file.write_text(
        'OPENQASM 3.0; include "stdgates.inc"; input float theta; input float phi; qubit[2] q;'
        "rx(theta) q[0]; ry(2*theta - phi/2) q[1]; cx q[0], q[1]; rx(phi) q[1];"
    )
    flags = ("--param", "theta=0.3", "--param", "phi=0.2", "--observable", "Z0", "--observable", "X1")
    answer = programs.ok("run", file, *flags, "--gradient", "adjoint", "--json").json()
    assert answer["gradients"][0].keys() == {"theta", "phi"}
    step = 1e-5
    for name, other in (("theta", "phi=0.2"), ("phi", "theta=0.3")):
        at = {"theta": 0.3, "phi": 0.2}[name]
        values = [
            programs.ok(
                "run",
                file,
                *("--param", f"{name}={at + shift}", "--param", other),
                *("--observable", "Z0", "--observable", "X1", "--json"),
            ).json()["expectations"]
            for shift in (-step, step)
        ]
        for o in range(2):
            slope = (values[1][o] - values[0][o]) / (2 * step)
            assert abs(answer["gradients"][o][name] - slope) < 1e-8
    text = programs.ok("run", file, *flags, "--gradient", "parameter_shift").out
    assert "d/d theta" in text
    assert programs.run("run", file, *flags[:4], "--gradient", "adjoint").code == 2
