"""skerry inspect: what a file holds."""

from __future__ import annotations

from pathlib import Path

from tests.e2e import programs
from tests.e2e.programs import BELL, MODELS


def test_a_circuit_is_counted_by_operation() -> None:
    answer = programs.ok("inspect", BELL, "--json").json()
    assert answer["kind"] == "circuit"
    assert answer["wires"] == answer["bits"] == 2
    assert answer["operations"] == {"h": 1, "cx": 1, "measure": 2}


def test_a_package_tells_its_sections_and_where_it_came_from(tmp_path: Path) -> None:
    package = tmp_path / "x.skerry"
    programs.ok("compile", BELL, "-O", "low", "-o", package)
    answer = programs.ok("inspect", package, "--json").json()["package"]
    assert answer["metadata"] == {"source": "bell_2.qasm", "level": "low"}
    assert [section["name"] for section in answer["sections"]] == ["circuit"]
    assert "signer" not in answer
    text = programs.ok("inspect", package).out
    assert "bell_2.qasm" in text
    assert "{" not in text


def test_the_text_form_runs_like_the_file_it_was_printed_from() -> None:
    text = programs.ok("inspect", BELL, "--ir").out
    again = programs.ok("run", "-", "--seed", "4", text=text).out
    assert again == programs.ok("run", BELL, "--seed", "4").out
    assert programs.ok("inspect", BELL, "--ir", "--json").json()["ir"] == text


def test_a_model_tells_its_inputs_outputs_and_weights() -> None:
    answer = programs.ok("inspect", MODELS / "digits_cnn.onnx", "--json").json()
    assert answer["kind"] == "graph"
    assert set(answer["inputs"]) == {"x"}
    assert answer["weight_bytes"] > 1000
    assert answer["operations"]["Conv"] == 2
