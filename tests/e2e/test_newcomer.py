"""What people do in their first half hour with the command line, by mistake or by the way: each is told what to do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e import programs, servers
from tests.e2e.programs import BELL, MODELS

DIGITS = MODELS / "digits_cnn.onnx"


@pytest.mark.parametrize(
    "words", [("run", BELL), ("run", BELL, "--json"), ("plan", BELL), ("--help",), ("run", "--help")]
)
def test_an_answer_that_nobody_got_is_no_success(words: tuple[programs.Word, ...]) -> None:
    command = [str(word) for word in (programs.CLI, *words)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert re.search(r"^skerry: standard output: .*No space left on device", done.stderr, re.M), done.stderr
    taken = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
    assert taken.returncode == 0


def test_a_closed_standard_output_is_told_and_no_file_takes_its_place(tmp_path: Path) -> None:
    package = tmp_path / "bell.skerry"
    line = f'"{programs.CLI}" compile "{BELL}" -o "{package}" >&-'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3 and "standard output" in done.stderr, done.stderr
    whole = tmp_path / "whole.skerry"
    programs.ok("compile", BELL, "-o", whole)
    assert package.read_bytes() == whole.read_bytes()
    silent = subprocess.run(["sh", "-c", f'"{programs.CLI}" run "{BELL}" <&- 2>&-'], capture_output=True, check=False)
    assert silent.returncode == 0 and b"11" in silent.stdout


def test_a_reader_that_goes_away_ends_it_without_a_word() -> None:
    child = subprocess.Popen(
        [str(programs.CLI), "run", str(BELL), "--shots", "5", "--memory", "/dev/stdout"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=programs.environment(), text=True,
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert child.wait(timeout=30) != 70
    assert "internal" not in err


def test_an_option_given_twice_is_told_as_that() -> None:
    for words in (("--shots", "10", "--shots", "20"), ("--shots=10", "--shots=20")):
        done = programs.run("run", BELL, *words, "--json")
        assert done.code == 2
        error = done.json()["error"]
        assert (error["where"], error["message"]) == ("--shots", "it is given more than once")
    assert "the value is missing" in programs.run("run", BELL, "--shots").err


def test_a_dash_is_standard_input_wherever_a_circuit_is_read() -> None:
    text = BELL.read_text()
    for words in (("run", "-"), ("plan", "-"), ("inspect", "-"), ("edge", "run", "-"), ("verify", "-", str(BELL))):
        programs.ok(*words, text=text)


def test_what_is_written_is_what_the_name_says(tmp_path: Path) -> None:
    for source, name, hint in ((BELL, "x.onnx", ".qasm"), (DIGITS, "x.onnx", ".skerry"), (DIGITS, "x.qasm", ".skerry")):
        done = programs.run("compile", source, "-o", tmp_path / name, "--json")
        assert done.code == 2
        assert done.json()["error"]["where"] == "--output" and hint in done.json()["error"]["hint"]
        assert not (tmp_path / name).exists()


def test_nothing_runs_here_when_there_is_no_memory_for_it(tmp_path: Path) -> None:
    alone = programs.run("edge", "run", BELL, "--max-memory-mb", "0", "--json")
    assert alone.code == 4 and "nothing runs here" in alone.json()["error"]["message"]
    assert programs.run("run", BELL, "--max-memory-mb", "0").code == 2
    with servers.serving(tmp_path) as server:
        address = f"http://127.0.0.1:{server.port}"
        done = programs.ok("edge", "run", BELL, "--max-memory-mb", "0", "--cloud-endpoint", address, "--json")
    assert done.json()["execution_method"] == "cloud"


def test_an_outbox_that_is_not_named_or_empty_says_so(tmp_path: Path) -> None:
    unnamed = programs.run("edge", "outbox", "list", "--json").json()["error"]
    assert unnamed["where"] == "--outbox"
    nobody = programs.run("edge", "outbox", "send", "--outbox", tmp_path / "box", "--json").json()["error"]
    assert nobody["where"] == "--cloud-endpoint"
    assert "the outbox is empty" in programs.ok("edge", "outbox", "list", "--outbox", tmp_path / "box").err


def test_names_of_other_letters_and_folders_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "Ordner mit Löchern 量子"
    folder.mkdir()
    circuit, package = folder / "zwölf\u200b.qasm", folder / "包.skerry"
    circuit.write_text(BELL.read_text())
    programs.ok("compile", circuit, "-o", package)
    assert programs.ok("run", package, "--shots", "10", "--seed", "1", "--json").json()["counts"]
    if os.geteuid() != 0:  # root may write anywhere
        folder.chmod(0o555)
        done = programs.run("compile", circuit, "-o", folder / "other.skerry")
        folder.chmod(0o755)
        assert done.code == 3 and "Permission denied" in done.err
    for extra in ({"HOME": None}, {"HOME": "/nonexistent"}):
        assert programs.ok("run", BELL, "--shots", "10", extra=extra, folder=tmp_path).code == 0
