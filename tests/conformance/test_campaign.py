"""`./dev fuzz graphs` and `./dev fuzz models`: a small number of questions, and what becomes of a finding."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import campaign
from tests.fuzz.campaign import Outcome, Piece

ROOT = Path(__file__).resolve().parent.parent.parent


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.campaign", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_some_graphs_and_some_models_have_no_findings() -> None:
    for what, count in [("graphs", 60), ("models", 3000)]:
        done = fuzz(what, "--count", str(count), "--seed", "7")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{count} {what} in ")
        assert ": 0 findings" in done.stdout


def program(folder: Path, text: str) -> str:
    """In the place of the one that takes models: CORPUS COUNT SEED."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_program_that_dies_is_a_finding_and_what_it_left_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign, "FINDINGS", tmp_path)
    monkeypatch.setattr(campaign, "corpus_of", lambda seed: tmp_path)
    dies = program(tmp_path, 'echo bad > fuzz-finding; echo "signal 11" >&2; [ "$3" != 5000 ] || exit 139')
    assert campaign.main(["models", "--count", "12000", "--program", dies]) == 1
    shown = capsys.readouterr()
    assert "seed 5000: exit code 139, signal 11" in shown.err
    assert "12000 models" in shown.out
    assert "1 findings" in shown.out
    assert (tmp_path / "models/5000-5000/fuzz-finding").read_text() == "bad\n"
    assert not (tmp_path / "models/0-5000").exists()


def test_a_program_that_hangs_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SECONDS", 1)
    monkeypatch.setattr(campaign, "FINDINGS", tmp_path)
    hangs = Path(program(tmp_path, "exec sleep 60"))
    (finding,) = campaign.models_of(hangs, tmp_path)(Piece(3, 1)).findings
    assert "it did not end within 1 s" in finding


def test_a_graph_whose_process_dies_is_found_among_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        first, count = int(command[-2]), int(command[-1])
        if first <= 1234 < first + count:
            return subprocess.CompletedProcess(command, -11, "", "Segmentation fault\n")
        return subprocess.CompletedProcess(command, 0, f'{{"wrong": [], "rounded": {count}, "away": 0}}', "")

    monkeypatch.setattr(campaign, "asked", asked)
    outcome = campaign.graphs_of(Piece(1000, 500))
    assert outcome.findings == ["seed 1234: exit code -11, Segmentation fault"]
    assert outcome.rounded == 499


def test_too_many_elements_on_another_quantum_are_a_finding() -> None:
    work = list(campaign.pieces(0, 10, 3))
    assert work == [Piece(0, 3), Piece(3, 3), Piece(6, 3), Piece(9, 1)]
    assert campaign.campaign("graphs", work, lambda piece: Outcome(piece, [], 1000, 10)) == []
    (finding,) = campaign.campaign("graphs", work, lambda piece: Outcome(piece, [], 1000, 11))
    assert "44 of 4000" in finding


@pytest.mark.parametrize("wrong", [["--count", "0"], ["--seed", "-1"], ["--count", "x"], ["--unknown"]])
def test_arguments_that_are_none_are_refused(wrong: list[str]) -> None:
    done = fuzz("graphs", *wrong)
    assert done.returncode == 2
    assert "usage: ./dev fuzz" in done.stderr
