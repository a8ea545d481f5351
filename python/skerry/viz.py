"""Pictures of circuits, counts, states and plans, as text, SVG and HTML; nothing needs to be installed for them.

>>> import skerry
>>> from skerry import viz
>>> print(viz.circuit_text(skerry.Circuit(2, 1).h(0).cx(0, 1).rx(skerry.Parameter("t") * 2, 1).measure(1, 0)))
q[0] ─[h]─●────────────────────────
          │
q[1] ─────⊕─[rx(t * 2.0)]─[M c[0]]─

A circuit shows its own drawing in a notebook, a result its histogram, a state and a plan their tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from skerry import _core
from skerry._core import Circuit, Observable, Plan, State

__all__ = [
    "bloch_svg",
    "bloch_vector",
    "circuit_svg",
    "circuit_text",
    "histogram",
    "histogram_svg",
    "histogram_text",
    "plan_html",
    "state_html",
    "state_text",
]

# A drawing is for people; what goes on longer is cut, and says so.
_MOST_BARS = 64
_MOST_ROWS = 200


def circuit_text(circuit: Circuit) -> str:
    """The circuit with one line per qubit, the least significant first; 200 columns and 64 qubits at most."""
    return _core.emit_text(circuit, "diagram")


def circuit_svg(circuit: Circuit) -> str:
    """The same as a drawing. Text of the circuit is escaped; nothing in it runs."""
    return _core.emit_text(circuit, "svg")


# SVG. Sizes in pixels; colours are those of text, so that a dark notebook shows a light drawing.
_STYLE = 'font-family="DejaVu Sans Mono, Menlo, monospace" font-size="12" stroke="currentColor" fill="none"'


def _svg(width: float, height: float, body: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
    return head + f'viewBox="0 0 {width:g} {height:g}"><g {_STYLE}>' + "".join(body) + "</g></svg>"


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    style = f'text-anchor="{anchor}" dominant-baseline="central" fill="currentColor" stroke="none"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"{more}/>'


def _bars(values: Mapping[str, float]) -> tuple[list[tuple[str, float]], int]:
    """The largest ones in order of their names, and how many are left out."""
    largest = sorted(values.items(), key=lambda item: -item[1])[:_MOST_BARS]
    return sorted(largest), len(values) - len(largest)


def histogram_text(values: Mapping[str, float], width: int = 40) -> str:
    """Counts or probabilities as bars; the 64 largest at most.

    >>> from skerry import viz
    >>> print(viz.histogram_text({"00": 3, "11": 6}, width=8))
    00 ████     3
    11 ████████ 6
    """
    bars, hidden = _bars(values)
    top = max((value for _, value in bars), default=0) or 1
    left = max((len(name) for name, _ in bars), default=0)
    rows = [f"{name.ljust(left)} {('█' * round(width * v / top)).ljust(width)} {v:.6g}" for name, v in bars]
    return "\n".join([*rows, f"… {hidden} more"] if hidden else rows)


def histogram_svg(values: Mapping[str, float]) -> str:
    """The same as a drawing."""
    bars, hidden = _bars(values)
    top = max((value for _, value in bars), default=0) or 1
    left = 16 + 7.5 * max((len(name) for name, _ in bars), default=0)
    body = []
    for row, (name, value) in enumerate(bars):
        y, length = 16 + 22 * row, 300 * value / top
        body += [
            _text(left - 6, y, name, "end"),
            f'<rect x="{left:g}" y="{y - 8:g}" width="{length:.4g}" height="16" fill="currentColor" opacity="0.4"/>',
            _text(left + length + 6, y, f"{value:.6g}", "start"),
        ]
    height = 22 * len(bars) + 12
    if hidden:
        body.append(_text(left, height + 6, f"… {hidden} more", "start"))
        height += 22
    return _svg(left + 400, height, body)


def histogram(values: Mapping[str, float], axes: Any = None) -> Any:
    """The same with Matplotlib, into `axes` or new ones, which it gives back. Needs Matplotlib."""
    if axes is None:
        from matplotlib import pyplot

        _, axes = pyplot.subplots()
    bars, _ = _bars(values)
    axes.bar([name for name, _ in bars], [value for _, value in bars])
    axes.tick_params(axis="x", rotation=90)
    return axes


def bloch_vector(state: State, qubit: int) -> tuple[float, float, float]:
    """<X>, <Y>, <Z> of one qubit; shorter than 1 where it is entangled with others.

    >>> import skerry
    >>> from skerry import viz
    >>> [round(part, 6) for part in viz.bloch_vector(skerry.Simulator().run(skerry.Circuit(1).h(0)), 0)]
    [1.0, 0.0, 0.0]
    """
    count = state.num_qubits
    x, y, z = (state.expectation(Observable.from_sparse_list([(p, [qubit], 1.0)], count)) for p in "XYZ")
    return x, y, z


def bloch_svg(state: State, qubit: int) -> str:
    """The Bloch vector of one qubit in its sphere: x towards the viewer and down, y to the right, z up."""
    x, y, z = bloch_vector(state, qubit)
    middle, radius = 110.0, 80.0

    def place(px: float, py: float, pz: float) -> tuple[float, float]:
        return middle + radius * (py - 0.4 * px), middle - radius * (pz - 0.3 * px)

    body = [
        f'<circle cx="{middle:g}" cy="{middle:g}" r="{radius:g}"/>',
        f'<ellipse cx="{middle:g}" cy="{middle:g}" rx="{radius:g}" ry="{0.3 * radius:g}" stroke-dasharray="3 3"/>',
    ]
    for name, axis in (("x", (1.0, 0.0, 0.0)), ("y", (0.0, 1.0, 0.0)), ("z", (0.0, 0.0, 1.0))):
        body.append(_line(middle, middle, *place(*axis), ' stroke-opacity="0.4"'))
        body.append(_text(*place(*(1.15 * part for part in axis)), name))
    tip = place(x, y, z)
    body.append(_line(middle, middle, *tip, ' stroke-width="3"'))
    body.append(f'<circle cx="{tip[0]:.4g}" cy="{tip[1]:.4g}" r="5" fill="currentColor"/>')
    body.append(_text(middle, 210, f"({x:.3f}, {y:.3f}, {z:.3f})"))
    return _svg(220, 224, body)


def state_text(state: State, largest: int = 16) -> str:
    """The largest amplitudes with their probabilities, most probable first.

    >>> import skerry
    >>> from skerry import viz
    >>> print(viz.state_text(skerry.Simulator().run(skerry.Circuit(2).h(0).cx(0, 1))))
    |00⟩  +0.70711 +0.00000i  0.50000
    |11⟩  +0.70711 +0.00000i  0.50000
    """
    rows = _largest(state, largest)
    return "\n".join(f"{ket}  {real:+.5f} {imaginary:+.5f}i  {chance:.5f}" for ket, real, imaginary, chance in rows)


def state_html(state: State, largest: int = 16) -> str:
    """The same as a table of HTML: what a state shows in a notebook.

    >>> import skerry
    >>> from skerry import viz
    >>> viz.state_html(skerry.Simulator().run(skerry.Circuit(1))).count("<tr>")
    2
    """
    rows = [(ket, f"{re:+.5f} {im:+.5f}i", f"{chance:.5f}") for ket, re, im, chance in _largest(state, largest)]
    return _table(("state", "amplitude", "probability"), rows)


def _largest(state: State, largest: int) -> list[tuple[str, float, float, float]]:
    amplitudes = np.asarray(state)
    chances = np.abs(amplitudes) ** 2
    order = np.argsort(-chances, kind="stable")[:largest]
    return [
        (f"|{i:0{state.num_qubits}b}⟩", float(amplitudes[i].real), float(amplitudes[i].imag), float(chances[i]))
        for i in order[chances[order] > 0]
    ]


def plan_html(plan: Plan) -> str:
    """A plan as HTML: what was chosen, what was considered and why not, the steps of a model.

    >>> import skerry
    >>> from skerry import viz
    >>> "statevector" in viz.plan_html(skerry.plan(skerry.Circuit(2).t(0)))
    True
    """
    head = f"{plan.kind}: {plan.method}, {plan.threads} threads, {plan.precision}"
    parts = [f"<p><b>{escape(head)}</b>: {_size(plan.peak_bytes)}, {_time(plan.seconds)}</p>"]
    if plan.refusal:
        parts.append(f"<p>would be refused: {escape(plan.refusal)}</p>")
    methods = [
        (f"{'✓ ' if one.chosen else ''}{one.name}", *_price(one.peak_bytes, one.seconds), one.reason)
        for one in plan.candidates
    ]
    if methods:
        parts.append(_table(("method", "memory", "time", "why not"), methods))
    steps = [(one.op, one.kernel, one.output, _time(one.seconds)) for one in plan.steps[:_MOST_ROWS]]
    if steps:
        parts.append(_table(("operator", "kernel", "output", "time"), steps))
    if len(plan.steps) > _MOST_ROWS:
        parts.append(f"<p>and {len(plan.steps) - _MOST_ROWS} steps more</p>")
    return "".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _price(size: int, seconds: float) -> tuple[str, str]:
    """Nothing for a method that was not priced because it cannot."""
    return (_size(size), _time(seconds)) if size else ("", "")


def _size(size: int) -> str:
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
