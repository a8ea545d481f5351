"""A circuit optimiser that has learned which passes are worth trying, in which order, for which circuit.

>>> import skerry
>>> from skerry.optimize import AICircuitOptimizer
>>> made = AICircuitOptimizer().optimize_circuit(skerry.Circuit(3).ccx(0, 1, 2).cx(0, 1).ccx(0, 1, 2))
>>> made.two_qubit_gates <= made.two_qubit_gates_high, made.proof.startswith("equal")
(True, True)

A small network, run by Skerry's own engine, looks at what a circuit is made of and says how much each of a dozen
orders of passes should gain over level `high`; the most promising are run, and the least result whose equivalence with
the source is proven, and which has no more gates than the source, is given back. `tools/train_optimizer.py` trains it
on circuits that it generates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skerry
from skerry._core import Circuit, CircuitParts
from skerry.circuits import Device, QuantumCircuitOptimizer, verify_equal, write_clifford_t

__all__ = ["ORDERS", "AICircuitOptimizer", "OptimizedCircuit", "choose", "circuit_features"]

ORDERS: tuple[tuple[str, ...], ...] = (
    ("fold", "high"),
    ("phases", "high"),
    ("high", "high"),
    ("pairs", "high"),
    ("seed 1",),
    ("seed 2",),
    ("high", "seed 1", "seed 2"),
    ("fold", "high", "high"),
    ("phases", "high", "high"),
    ("phases", "pairs", "high"),
    ("phases", "seed 1"),
    ("pairs", "seed 2"),
)
"""Orders of steps that the policy chooses from; `high` alone is always run. `fold` and `phases` (Clifford and T) stay
on the program's own qubits; `high`, `pairs` (without Pauli networks) and other seeds compile."""

_NO_GATES = frozenset({"gphase", "barrier", "delay", "measure", "reset", "assign", "if_else", "while_loop", "channel"})
_CLIFFORD = frozenset({"id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "swap", "iswap", "dcx", "ecr"})


def circuit_features(circuit: Circuit) -> NDArray[np.float32]:
    """What the policy sees: twelve numbers of order one about size, kinds of gates and who meets whom."""
    wires: dict[int, int] = {}
    pairs: dict[tuple[int, ...], int] = {}
    kinds = {"one": 0, "two": 0, "more": 0, "clifford": 0, "symbolic": 0, "diagonal": 0, "other": 0}
    gates = 0
    for name, controls, on, params, _ in CircuitParts(circuit).blocks()[0]:
        if name in ("measure", "reset", "barrier", "delay", "assign", "if_else", "while_loop", "gphase"):
            kinds["other"] += name not in ("barrier", "gphase")
            continue
        gates += 1
        kinds["one" if len(on) == 1 else "two" if len(on) == 2 else "more"] += 1
        kinds["clifford"] += name in _CLIFFORD and (controls == 0 or (controls == 1 and name in ("x", "y", "z")))
        kinds["symbolic"] += any(not isinstance(p, float) for p in params)
        kinds["diagonal"] += name in ("z", "s", "sdg", "t", "tdg", "p", "rz", "rzz")
        depth = 1 + max((wires.get(w, 0) for w in on), default=0)
        wires.update(dict.fromkeys(on, depth))
        if len(on) == 2:
            pair = tuple(sorted(on))
            pairs[pair] = pairs.get(pair, 0) + 1
    some, n = max(1, gates), max(2, len(wires))
    shares = [kinds[k] / some for k in ("one", "two", "more", "clifford", "symbolic", "diagonal")]
    met = sum(pairs.values())
    return np.array(
        [
            math.log2(n) / 4,
            math.log2(some) / 8,
            max(wires.values(), default=0) / some,
            2 * len(pairs) / (n * (n - 1)),
            math.log2(max(1, met) / max(1, len(pairs))) / 4,
            min(1.0, kinds["other"] / n),
            *shares,
        ],
        np.float32,
    )


@cache
def _policy() -> Any:
    model = skerry.load(Path(__file__).with_name("optimize_policy.onnx"))
    assert isinstance(model, skerry.Model)
    return model.session(threads=1)


def choose(gains: NDArray[np.float64], tries: int) -> list[int]:
    """Indices of orders from what the network says: [orders * orders] numbers, [i, i] the gain of order i over high,
    [i, j] what j should gain over the better of i and high. An order counts by its least gain over those before it."""
    table = gains.reshape(len(ORDERS), len(ORDERS))
    worth = np.diag(table).copy()
    chosen: list[int] = []
    for _ in range(tries):
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
        worth = np.minimum(worth, table[chosen[-1]]) if len(chosen) > 1 else table[chosen[-1]].copy()
    return chosen


@dataclass(frozen=True)
class OptimizedCircuit:
    """What came out, how it was found, and why it means the same."""

    optimized_circuit: Circuit
    initial: list[int]
    final: list[int]
    order: tuple[str, ...]
    two_qubit_gates: int
    two_qubit_gates_high: int
    tried: dict[tuple[str, ...], int]
    proof: str
    gates: int
    """All of them, global phases aside."""


@dataclass(frozen=True)
class _Made:
    circuit: Circuit
    initial: list[int]
    final: list[int]
    order: tuple[str, ...]
    cost: tuple[int, int, int]
    """Gates on two qubits, all gates, depth: fewer is better, in this order."""


class AICircuitOptimizer:
    """Chooses orders of passes by a learned policy; never worse than level `high`, always proven.

    target: a device as `skerry.circuits` takes it; without one, every pair of qubits may meet, the gates are u and cx,
    and the result never has more gates than a source of gates on one and two qubits: where writing its gates as u and
    cx would take more, it is made smaller as it is written. tries: how many orders are run beside `high`.
    """

    def __init__(self, target: Device | Any = None, *, tries: int = 3, seed: int = 42) -> None:
        if not 0 <= tries <= len(ORDERS):
            raise ValueError(f"tries is {tries}, not a number between 0 and {len(ORDERS)}")
        self.tries, self._seed, self._target = tries, seed, target

    def optimize_circuit(self, circuit: Circuit) -> OptimizedCircuit:
        """The least circuit found. `initial` and `final` say where each qubit lies at the start and at the end."""
        base = self._run(circuit, ("high",))
        found = [base, *(self._run(circuit, order) for order in self.choose_orders(circuit))]
        tried = {made.order: made.cost[0] for made in found}
        most = _most_gates(circuit) if self._target is None else math.inf
        fitting = sorted((made for made in found if made.cost[1] <= most), key=lambda made: made.cost)
        last = base if base in fitting else _as_written(circuit)
        for made in (*fitting, last):
            answer, reason = self._verdict(circuit, made)
            if answer == "equal" or made is last:
                return OptimizedCircuit(
                    made.circuit,
                    made.initial,
                    made.final,
                    made.order,
                    made.cost[0],
                    base.cost[0],
                    tried | {made.order: made.cost[0]},
                    f"{answer}: {reason}",
                    made.cost[1],
                )
        raise AssertionError("the last one is given back, proven or not")

    def choose_orders(self, circuit: Circuit) -> list[tuple[str, ...]]:
        """The order that promises most, then those that promise most beside the ones before."""
        flat = _policy().run({"features": circuit_features(circuit)[None, :]})["gains"][0]
        return [ORDERS[k] for k in choose(np.asarray(flat, np.float64), self.tries)]

    def _verdict(self, circuit: Circuit, made: _Made) -> tuple[str, str]:
        try:
            return verify_equal(circuit, made.circuit, made.initial, made.final)
        except skerry.Unsupported as error:
            return "unknown", str(error)

    def _run(self, circuit: Circuit, order: Sequence[str]) -> _Made:
        qubits = circuit.num_qubits
        anywhere = {"qubits": max(1, qubits), "basis": ["u", "cx"]}
        initial, final = list(range(qubits)), list(range(qubits))
        made = circuit
        device = self._target
        for place, step in enumerate(order):
            # Where the qubits lie is settled once, by the last step.
            here = device if device is not None and place == len(order) - 1 else anywhere
            if step in ("fold", "phases"):
                rewrite: Callable[[Circuit], Circuit] = write_clifford_t if step == "phases" else _fold
                made = rewrite(made)
                continue
            optimizer = QuantumCircuitOptimizer(here)
            if step == "pairs":
                optimizer.disabled_passes = ["resynthesize_paulis"]
            seed = int(step.split()[1]) if step.startswith("seed") else self._seed
            compiled = optimizer.optimize_circuit(made, 3, seed=seed)
            made = compiled.circuit
            initial = [compiled.initial[q] for q in initial]
            final = [compiled.final[q] for q in final]
        resources = QuantumCircuitOptimizer(device if device is not None else anywhere).estimate_resources(made)
        return _Made(made, initial, final, tuple(order), (*_gates(made), resources["two_wire_depth"]))


def _gates(circuit: Circuit) -> tuple[int, int]:
    """On several qubits, and all of them."""
    widths = [
        len(on) for block in CircuitParts(circuit).blocks() for name, _, on, _, _ in block if name not in _NO_GATES
    ]
    return sum(width > 1 for width in widths), len(widths)


def _most_gates(circuit: Circuit) -> float:
    """Those of the circuit, unless it has gates on more than two qubits, which are many when they are written out."""
    blocks = CircuitParts(circuit).blocks()
    wide = any(len(on) > 2 and name not in _NO_GATES for block in blocks for name, _, on, _, _ in block)
    return math.inf if wide else _gates(circuit)[1]


def _as_written(circuit: Circuit) -> _Made:
    made = _fold(circuit)
    qubits = list(range(circuit.num_qubits))
    return _Made(made, qubits, qubits, ("fold",), (*_gates(made), 0))


def _fold(circuit: Circuit) -> Circuit:
    return skerry.compile(circuit, "high").program
