"""What the noise tasks share: the circuit, skerry's side of it, timing."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Gate = tuple[Any, ...]


def random_circuit(qubits: int, depth: int = 20, seed: int = 7) -> list[Gate]:
    """Layers of sqrt(X), sqrt(Y) or T on all qubits, never the same twice in a row, and of cz on neighbours."""
    draw, gates, last = random.Random(seed), [], [""] * qubits
    for layer in range(depth):
        for qubit in range(qubits):
            last[qubit] = draw.choice([name for name in ("sx", "sy", "t") if name != last[qubit]])
            gates.append((last[qubit], qubit))
        gates += [("cz", qubit, qubit + 1) for qubit in range(layer % 2, qubits - 1, 2)]
    return gates


def skerry_circuit(gates: list[Gate], qubits: int) -> Any:
    import math

    import skerry

    circuit = skerry.Circuit(qubits)
    for name, *wires in gates:
        if name == "sy":
            circuit.ry(math.pi / 2, *wires)
        else:
            circuit.append(name, wires)
    return circuit


@dataclass(frozen=True)
class Row:
    name: str
    seconds: float
    spread: float
    answer: float


def timed(name: str, run: Callable[[], float], repeats: int) -> Row:
    """Median of `repeats` runs after one that warms up."""
    answer = run()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return Row(name, statistics.median(times), max(times) - min(times), answer)


def report(task: str, rows: list[Row], peer: str, must: float, aim: float) -> int:
    """Prints the table and JSON; 1 if the goal is missed."""
    reference = next(row.seconds for row in rows if row.name == peer)
    for row in rows:
        print(
            f"{row.name:28} {row.seconds * 1e3:10.2f} ms  +-{row.spread * 1e3:8.2f}  {row.seconds / reference:7.3f}x"
            f"  answer {row.answer:.6f}"
        )
    worst = max(row.seconds / reference for row in rows if row.name.startswith("skerry"))
    print(f"{task}: {worst:.3f}x of {peer}; must {must}x, aim {aim}x")
    print(
        json.dumps(
            {"task": task, "peer": peer, "ratio": worst, "must": must, "aim": aim, "rows": [vars(row) for row in rows]}
        )
    )
    return 0 if worst <= must else 1
