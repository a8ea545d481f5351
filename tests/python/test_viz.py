"""Drawings: what is drawn is read back from them."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import Circuit, Parameter, viz


def parsed(svg: str) -> ElementTree.Element:
    """Well formed, or this raises."""
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter() if element.tag.endswith("text")]


def test_a_line_per_qubit_with_symbols_in_their_columns() -> None:
    circuit = Circuit(3, 1).h(0).cx(0, 2).swap(0, 1).measure(2, 0)
    lines = viz.circuit_text(circuit).splitlines()
    assert lines == [
        "q[0] ─[h]─●────×─────",
        "          │    │",
        "q[1] ─────┼────×─────",
        "          │",
        "q[2] ─────⊕─[M c[0]]─",
    ]


def test_instructions_on_other_qubits_share_a_column_and_crossing_ones_do_not() -> None:
    lines = viz.circuit_text(Circuit(3).h(0).h(1).cx(0, 2).h(1)).splitlines()
    assert lines[0].index("●") < lines[2].rindex("[h]")
    assert lines[0].index("[h]") == lines[2].index("[h]")


def test_angles_names_and_conditions_are_written() -> None:
    program = skerry.loads(
        'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[2] a; bit[2] b; rx(2*t+0.5) a[0];'
        "b[0] = measure a[0]; if (b[0]) { x a[1]; } while (b == 1) { b[1] = measure a[1]; }"
    )
    assert isinstance(program, Circuit)
    text = viz.circuit_text(program)
    for part in ("a[0]", "rx(", "t", "0.5", "[M b[0]]", "[if b[0]", "[while b == 1]"):
        assert part in text
    # What reads a bit stands after what wrote it.
    lines = text.splitlines()
    assert lines[2].index("[if") > lines[0].index("[M")


def test_every_gate_can_be_drawn() -> None:
    circuit = Circuit(5, 2)
    for op in ("h", "x", "sdg", "rx", "u", "iswap", "rzz", "xx_plus_yy"):
        method = getattr(circuit, op)
        angles = {"rx": 1, "u": 3, "rzz": 1, "xx_plus_yy": 2}.get(op, 0)
        method(*[0.5] * angles, *range(2 if op in ("iswap", "rzz", "xx_plus_yy") else 1), controls=[4])
    circuit.unitary(np.eye(4, dtype=complex), [0, 3]).barrier().reset(2)
    for drawing in (viz.circuit_text(circuit), viz.circuit_svg(circuit)):
        assert all(name in drawing for name in ("iswap", "sdg", "unitary", "u(0.5, 0.5, 0.5)", "|0⟩"))


def test_long_circuits_are_cut_and_say_so() -> None:
    circuit = Circuit(100)
    for _ in range(300):
        circuit.h(0)
    text = viz.circuit_text(circuit)
    assert text.splitlines()[-1] == "… 36 more qubits, 100 more instructions"
    assert "36 more qubits" in viz.circuit_svg(circuit)


def test_an_svg_is_well_formed_and_its_texts_cannot_run() -> None:
    circuit = Circuit(1).rx(Parameter("<script>"), 0)
    svg = viz.circuit_svg(circuit)
    assert 'rx("<script>")' in texts(svg)
    assert "<script>" not in svg


def test_nothing_is_drawn_of_nothing() -> None:
    assert viz.circuit_text(Circuit()) == ""
    parsed(viz.circuit_svg(Circuit()))
    assert viz.histogram_text({}) == ""
    parsed(viz.histogram_svg({}))


def test_bars_are_as_long_as_their_values() -> None:
    counts = {"00": 30, "01": 10, "11": 60}
    rows = [row.count("█") for row in viz.histogram_text(counts, width=60).splitlines()]
    assert rows == [30, 10, 60]
    bars = [float(e.get("width", 0)) for e in parsed(viz.histogram_svg(counts)).iter() if e.tag.endswith("rect")]
    assert np.array(bars) / max(bars) == pytest.approx([0.5, 1 / 6, 1], abs=1e-3)


def test_only_the_largest_bars_are_shown() -> None:
    counts = {f"{i:07b}": i + 1 for i in range(100)}
    lines = viz.histogram_text(counts).splitlines()
    assert lines[-1] == "… 36 more"
    assert lines[0].startswith(f"{36:07b}")


def test_bloch_vectors_are_those_of_the_states() -> None:
    run = skerry.Simulator().run
    assert viz.bloch_vector(run(Circuit(2).x(1)), 1) == pytest.approx((0, 0, -1))
    assert viz.bloch_vector(run(Circuit(2).h(0).s(0)), 0) == pytest.approx((0, 1, 0))
    assert viz.bloch_vector(run(Circuit(2).h(0).cx(0, 1)), 0) == pytest.approx((0, 0, 0))
    assert "(0.000, 1.000, 0.000)" in texts(viz.bloch_svg(run(Circuit(1).h(0).s(0)), 0))


def test_the_table_of_a_state_lists_the_most_probable_first() -> None:
    table = viz.state_text(skerry.Simulator().run(Circuit(2).ry(2.0, 0)))
    assert [row.split()[0] for row in table.splitlines()] == ["|01⟩", "|00⟩"]


def test_notebooks_show_circuits_and_counts() -> None:
    circuit: Any = Circuit(1).h(0)
    assert circuit._repr_svg_() == viz.circuit_svg(circuit)
    result: Any = skerry.run(circuit, shots=10, seed=1)
    assert result._repr_svg_() == viz.histogram_svg(result.counts)
    result = skerry.run(circuit, state=True)
    assert result._repr_svg_() is None


def test_notebooks_show_states_and_plans_as_tables() -> None:
    state: Any = skerry.Simulator().run(Circuit(2).ry(2.0, 0))
    table = state._repr_html_()
    assert table == viz.state_html(state)
    assert table.index("|01⟩") < table.index("|00⟩")
    plan: Any = skerry.plan(Circuit(3).h(0).t(0), max_memory_mb=1e-6, state=True)
    shown = plan._repr_html_()
    assert f"✓ {plan.method}" in shown
    assert "would be refused" in shown
    for candidate in plan.candidates:
        assert candidate.name in shown
    # Whatever a name holds, it stays text.
    assert "<b>x" not in viz._table(("a",), [("<b>x",)])


def test_the_plan_of_a_model_lists_its_steps(models: Path) -> None:
    model: Any = skerry.load(models / "digits_cnn.onnx")
    plan: Any = skerry.plan(model, inputs={"x": np.zeros((1, 1, 8, 8), np.float32)})
    shown = plan._repr_html_()
    assert all(step.kernel in shown for step in plan.steps)
    assert shown.count("<tr>") >= len(plan.steps)


def test_matplotlib_draws_the_same_bars() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = viz.histogram({"0": 3, "1": 4})
    assert [patch.get_height() for patch in axes.patches] == [3, 4]
