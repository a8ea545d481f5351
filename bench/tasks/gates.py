"""Circuits as plain gate lists: (name, wires..., angle). Every library builds its own form of them."""

from __future__ import annotations

import math
import random

Gate = tuple[str, tuple[int, ...], float]
Term = tuple[float, dict[int, str]]


def random_circuit(wires: int, depth: int = 20, seed: int = 7) -> list[Gate]:
    """Layers of sqrt(X), sqrt(Y) or T on every wire, never the same twice, between cz on every other neighbour."""
    rng = random.Random(seed)
    gates: list[Gate] = []
    last = [""] * wires
    for layer in range(depth):
        for wire in range(wires):
            last[wire] = rng.choice([name for name in ("sx", "sy", "t") if name != last[wire]])
            gates.append((last[wire], (wire,), 0.0))
        gates += [("cz", (wire, wire + 1), 0.0) for wire in range(layer % 2, wires - 1, 2)]
    return gates


def fourier(wires: int, seed: int = 7) -> list[Gate]:
    """The quantum Fourier transform of a random product state, swaps included."""
    rng = random.Random(seed)
    gates: list[Gate] = [("ry", (wire,), rng.uniform(0, 3)) for wire in range(wires)]
    for high in reversed(range(wires)):
        gates.append(("h", (high,), 0.0))
        gates += [("cp", (low, high), math.pi / 2 ** (high - low)) for low in reversed(range(high))]
    return gates + [("swap", (wire, wires - 1 - wire), 0.0) for wire in range(wires // 2)]


def ansatz(wires: int, layers: int, seed: int = 7) -> list[Gate]:
    """ry and rz on every wire, then a ring of cx, `layers` times."""
    rng = random.Random(seed)
    gates: list[Gate] = []
    for _ in range(layers):
        for wire in range(wires):
            gates += [("ry", (wire,), rng.uniform(0, 6.28)), ("rz", (wire,), rng.uniform(0, 6.28))]
        gates += [("cx", (wire, (wire + 1) % wires), 0.0) for wire in range(wires)]
    return gates


def flops(gates: list[Gate], wires: int) -> float:
    """Of the gates that mix, one by one on the whole state: each a real rotation but for phases, two multiply-adds for
    each amplitude."""
    return sum(4.0 for name, _, _ in gates if name in ("sx", "sy", "h", "rx", "ry")) * float(1 << wires)


def ghz(wires: int) -> list[Gate]:
    return [("h", (0,), 0.0), *(("cx", (wire, wire + 1), 0.0) for wire in range(wires - 1))]


def ising_ring(wires: int) -> list[Term]:
    """As many ZZ terms as wires, on a ring, and as many X terms."""
    return [(1.0, {wire: "Z", (wire + 1) % wires: "Z"}) for wire in range(wires)] + [
        (0.5, {wire: "X"}) for wire in range(wires)
    ]


def molecule_like(wires: int, terms: int = 105, seed: int = 3) -> list[Term]:
    """Strings of one, two or four letters, as many as a small molecule has."""
    rng = random.Random(seed)
    out: list[Term] = []
    for _ in range(terms):
        on = rng.sample(range(wires), rng.choice([1, 2, 2, 4]))
        out.append((rng.uniform(-0.3, 0.3), {wire: rng.choice("XYZ") for wire in on}))
    return out


def to_qasm(gates: list[Gate], wires: int) -> str:
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{wires}] q;"]
    for name, on, angle in gates:
        word = {"sy": "ry(pi/2)"}.get(name, name)
        if name in ("rx", "ry", "rz", "cp"):
            word += f"({angle!r})"
        lines.append(f"{word} {', '.join(f'q[{wire}]' for wire in on)};")
    return "\n".join(lines)
