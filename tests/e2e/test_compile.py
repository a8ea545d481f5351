"""skerry compile: levels, switched-off passes, packages that are the same, whole or not there at all."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e import programs
from tests.e2e.programs import BELL, CIRCUITS


def names(done: programs.Finished) -> list[str]:
    return [row["name"] for row in done.json()["passes"]]


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_every_level_gives_a_package_that_counts_the_same(tmp_path: Path, level: str) -> None:
    file = CIRCUITS / "redundant_7.qasm"
    package = tmp_path / "x.skerry"
    done = programs.ok("compile", file, "-O", level, "-o", package, "--json")
    assert done.json()["bytes"] == package.stat().st_size
    source = programs.ok("run", file, "--probabilities", "--json").json()["probabilities"]["data"]
    packed = programs.ok("run", package, "--probabilities", "--json").json()["probabilities"]["data"]
    assert packed == pytest.approx(source, abs=1e-12)


def test_a_higher_level_does_at_least_what_a_lower_one_does(tmp_path: Path) -> None:
    after = {}
    for level in ("low", "medium", "high"):
        done = programs.ok("compile", CIRCUITS / "redundant_7.qasm", "-O", level, "-o", tmp_path / "x.skerry", "--json")
        after[level] = done.json()["passes"][-1]["after"]
    assert after["high"] <= after["medium"] <= after["low"]
    assert after["medium"] < after["low"]


def test_a_pass_can_be_left_out_by_name(tmp_path: Path) -> None:
    package = tmp_path / "x.skerry"
    everything = names(programs.ok("compile", BELL, "-o", package, "--json"))
    less = names(programs.ok("compile", BELL, "--disable", everything[0], "-o", package, "--json"))
    assert everything[0] not in less
    assert [name for name in everything if name != everything[0]] == less


def test_an_unknown_pass_is_refused_with_those_there_are(tmp_path: Path) -> None:
    done = programs.run("compile", BELL, "--disable", "merge_rotation", "-o", tmp_path / "x.skerry")
    assert done.code == 2
    assert "merge_rotation" in done.err
    assert "cancel_inverses" in done.err


@pytest.mark.parametrize("extra", [(), ("--compress",)])
def test_the_same_program_gives_the_same_bytes(tmp_path: Path, extra: tuple[str, ...]) -> None:
    packages = [tmp_path / name for name in ("a.skerry", "b.skerry")]
    for package in packages:
        programs.ok("compile", CIRCUITS / "qft_8.qasm", "-o", package, *extra)
    assert packages[0].read_bytes() == packages[1].read_bytes()


def test_standard_input_compiles_too(tmp_path: Path) -> None:
    package = tmp_path / "x.skerry"
    programs.ok("compile", "-", "-o", package, text=BELL.read_text())
    assert set(programs.ok("run", package, "--json").json()["counts"]) == {"00", "11"}


def test_a_compile_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for words in (
        (CIRCUITS / "invalid" / "missing_semicolon.qasm", "-o", folder / "x.skerry"),
        (BELL, "-o", folder / "x.skerry", "--sign", tmp_path / "none.key"),
        (BELL, "-o", folder),
        (BELL, "-o", folder / "none" / "x.skerry"),
        (BELL, "-o", folder / "x.skerry", "-O", "most"),
    ):
        assert programs.run("compile", *words).code in (2, 3)
        assert list(folder.iterdir()) == []


def test_a_failed_compile_keeps_the_old_package(tmp_path: Path) -> None:
    package = tmp_path / "x.skerry"
    programs.ok("compile", BELL, "-o", package)
    before = package.read_bytes()
    assert programs.run("compile", CIRCUITS / "invalid" / "missing_semicolon.qasm", "-o", package).code == 3
    assert package.read_bytes() == before


def test_a_kill_in_the_middle_leaves_the_old_package_or_the_new_one(tmp_path: Path) -> None:
    large = programs.write_circuit(tmp_path / "large.qasm", 24, 1500)
    package = tmp_path / "x.skerry"
    begin = time.monotonic()
    programs.ok("compile", large, "-o", package)
    whole = time.monotonic() - begin
    new = package.read_bytes()
    programs.ok("compile", BELL, "-o", package)
    old = package.read_bytes()
    kills = 0
    for part in range(12):
        child = programs.start("compile", large, "-o", package)
        time.sleep(whole * part / 10)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=20)
        kills += child.returncode == -signal.SIGKILL
        assert package.read_bytes() in (old, new)
        package.write_bytes(old)
    assert kills > 0
    programs.ok("run", package)


def test_ctrl_c_stops_a_compile_and_leaves_nothing_behind(tmp_path: Path) -> None:
    large = programs.write_circuit(tmp_path / "large.qasm", 24, 16000)
    folder = tmp_path / "out"
    folder.mkdir()
    child = programs.start("compile", large, "-O", "high", "-o", folder / "x.skerry")
    done, seconds = programs.interrupt(child, 0.2)
    assert seconds < 2.0
    assert done.code == 4
    assert "cancelled" in done.err
    assert list(folder.iterdir()) == []
