"""skerry verify and the compile options for devices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import programs
from tests.e2e.programs import CIRCUITS

DEVICES = CIRCUITS.parent / "devices"


@pytest.mark.parametrize("level", ["low", "medium", "high"])
@pytest.mark.parametrize("device", ["line28", "heavyhex27"])
def test_what_is_compiled_for_a_device_means_the_same(tmp_path: Path, level: str, device: str) -> None:
    source, out, layout = CIRCUITS / "clifford_8.qasm", tmp_path / "out.qasm", tmp_path / "layout.json"
    target = DEVICES / f"{device}.json"
    programs.ok("compile", source, "--coupling", target, "-O", level, "--seed", "7", "-o", out, "--layout", layout)
    where = json.loads(layout.read_text())
    assert len(where["initial"]) == len(where["final"]) == 8
    assert where["compile_ms"] > 0
    assert programs.ok("verify", source, out, "--layout", layout, "--json").json()["answer"] == "equal"


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    texts = set()
    for threads in ("1", "2", "3"):
        out = tmp_path / "out.qasm"
        arguments: list[str | Path] = [
            "compile",
            CIRCUITS / "qft_8.qasm",
            "--target",
            DEVICES / "grid5x6.json",
            "-O",
            "high",
            "-o",
            out,
        ]
        programs.ok(*arguments, extra={"SKERRY_NUM_THREADS": threads})
        texts.add(out.read_text())
    assert len(texts) == 1


def test_a_budget_bounds_the_search_and_changes_no_meaning(tmp_path: Path) -> None:
    source, out, layout = CIRCUITS / "clifford_8.qasm", tmp_path / "out.qasm", tmp_path / "layout.json"
    texts = []
    for budget, threads in (("0.3", "1"), ("0.3", "2"), ("0.001", "2")):
        command = ("compile", source, "--target", DEVICES / "line28.json", "-O", "high", "-o", out, "--layout", layout)
        programs.ok(*command, "--time-budget", budget, extra={"SKERRY_NUM_THREADS": threads})
        assert programs.ok("verify", source, out, "--layout", layout, "--json").json()["answer"] == "equal"
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    assert texts[0].count("cx ") <= texts[2].count("cx ")


def test_what_compiling_leaves_out_is_in_the_layout_and_no_more_is_accepted(tmp_path: Path) -> None:
    source, out, layout = CIRCUITS / "qft_28.qasm", tmp_path / "out.qasm", tmp_path / "layout.json"
    programs.ok("compile", source, "--coupling", DEVICES / "line28.json", "-o", out, "--layout", layout)
    where = json.loads(layout.read_text())
    assert 1e-9 < where["spent_error"] <= 1e-8
    found = programs.ok("verify", source, out, "--layout", layout, "--json").json()
    assert found["answer"] == "equal" and "declared" in found["reason"]
    layout.write_text(json.dumps({**where, "spent_error": 0}))
    assert programs.run("verify", source, out, "--layout", layout).code == 1


def test_a_difference_is_told_by_the_exit_code(tmp_path: Path) -> None:
    first, second = tmp_path / "a.qasm", tmp_path / "b.qasm"
    first.write_text('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\ncx q[0], q[1];\n')
    second.write_text('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\ncx q[1], q[0];\n')
    done = programs.run("verify", first, second)
    assert done.code == 1
    assert done.out.startswith("different")


def test_a_layout_without_a_device_is_refused(tmp_path: Path) -> None:
    done = programs.run(
        "compile", CIRCUITS / "bell_2.qasm", "-o", tmp_path / "x.skerry", "--layout", tmp_path / "l.json"
    )
    assert done.code == 2
    assert "--layout" in done.err


def test_a_basis_that_cannot_write_every_circuit_is_refused(tmp_path: Path) -> None:
    done = programs.run("compile", CIRCUITS / "bell_2.qasm", "--basis", "rz,cx", "-o", tmp_path / "x.qasm")
    assert done.code != 0
    assert "gate of one wire" in done.err
