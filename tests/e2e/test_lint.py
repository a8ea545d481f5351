"""skerry lint, and what compile writes beside gates: schedules, drawings, fewer qubits, fewer T."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.e2e import programs
from tests.e2e.programs import CIRCUITS

DEVICES = CIRCUITS.parent / "devices"


def program(folder: Path, body: str, qubits: int, bits: int) -> Path:
    path = folder / "in.qasm"
    path.write_text(f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{qubits}];\ncreg c[{bits}];\n{body}\n')
    return path


def test_the_cut_of_a_wide_entangled_circuit_is_named(tmp_path: Path) -> None:
    body = "h q; t q;" + "".join(f"cx q[{i}],q[{23 - i}];" for i in range(12))
    (finding,) = programs.ok("lint", program(tmp_path, body, 24, 1), "--json").json()["findings"]
    assert finding["name"] == "entanglement"
    assert "12 bits of entanglement between wires 0..11 and wires 12..23" in finding["message"]


def test_a_circuit_without_fault_passes_and_a_model_is_refused(tmp_path: Path) -> None:
    body = "h q[0]; t q[0]; h q[0]; cx q[0],q[1]; h q[1]; h q[0]; measure q -> c;"
    assert programs.ok("lint", program(tmp_path, body, 2, 2)).out == "nothing found\n"
    assert programs.run("lint", next(programs.MODELS.glob("**/*.onnx"))).code != 0


def test_measured_qubits_are_used_again(tmp_path: Path) -> None:
    out = tmp_path / "out.qasm"
    programs.ok("compile", CIRCUITS / "bv_14.qasm", "--reuse-qubits", "-o", out)
    counts = programs.ok("run", out, "--shots", "100", "--seed", "1", "--json").json()["counts"]
    assert counts == programs.ok("run", CIRCUITS / "bv_14.qasm", "--shots", "100", "--json").json()["counts"]
    assert programs.ok("inspect", out, "--json").json()["wires"] < 14


def test_a_schedule_takes_as_long_as_the_circuit_and_says_so(tmp_path: Path) -> None:
    words: list[str | Path] = [CIRCUITS / "qpeexact_7.qasm", "--target", DEVICES / "line28.json", "--report", "--json"]
    plain = programs.ok("compile", *words, "-o", tmp_path / "a.qasm3").json()["after"]
    timed = programs.ok("compile", *words, "--schedule", "alap", "--decouple", "x2", "-o", tmp_path / "b.qasm3").json()
    assert abs(timed["after"]["duration_seconds"] / plain["duration_seconds"] - 1) < 1e-9
    assert timed["after"]["counts"]["delay"] > 0
    assert timed["after"]["counts"]["x"] > plain["counts"].get("x", 0)
    assert programs.run("compile", CIRCUITS / "bell_2.qasm", "--schedule", "asap", "-o", tmp_path / "c.qasm").code == 2


def test_toffoli_gates_come_to_few_t_gates(tmp_path: Path) -> None:
    done = programs.ok(
        "compile", CIRCUITS / "tof_chain_5.qasm", "--clifford-t", "--report", "-o", tmp_path / "out.qasm"
    )
    rows = {line[:20].strip(): line[20:].split() for line in done.out.splitlines()}
    assert int(rows["T gates"][1]) < int(rows["T gates"][0])
    assert int(rows["physical qubits"][1]) <= int(rows["physical qubits"][0])
    assert programs.ok("verify", CIRCUITS / "tof_chain_5.qasm", tmp_path / "out.qasm").code == 0


def test_a_drawing_is_written_as_text_or_as_svg(tmp_path: Path) -> None:
    text, svg = tmp_path / "bell.txt", tmp_path / "bell.svg"
    for drawing in (text, svg):
        programs.ok("compile", CIRCUITS / "bell_2.qasm", "-o", tmp_path / "out.qasm", "--diagram", drawing)
    assert "●" in text.read_text() and "⊕" in text.read_text()
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
