"""Trains the policy of skerry.optimize on circuits made here and writes python/skerry/optimize_policy.onnx.

    ./dev python tools/train_optimizer.py [--circuits 400] [--minutes 20]

Every order of passes is run on every circuit; the gain of an order is the share of CX that it saves over level high
(below zero where it costs some). A network of one hidden layer learns from circuit_features(), by Adam on the mean
squared error, what each order gains and what it gains beside each other one. A quarter of the circuits is held out:
what one to three chosen orders save on them is printed beside what those do that are best together on the average,
random ones, and all of them.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skerry.optimize import ORDERS, AICircuitOptimizer, choose, circuit_features

OUT = Path(__file__).resolve().parent.parent / "python/skerry/optimize_policy.onnx"
HIDDEN = 32
Random = np.random.Generator
Floats = NDArray[np.float64]


def pair(draw: Random, n: int) -> list[int]:
    """Two different qubits."""
    return [int(q) for q in draw.choice(n, 2, replace=False)]


def toffolis(draw: Random, n: int) -> skerry.Circuit:
    """Reversible logic: X, CX and Toffoli gates."""
    circuit = skerry.Circuit(max(3, n))
    for _ in range(int(draw.integers(3, 4 + n))):
        qubits = [int(q) for q in draw.choice(max(3, n), 3, replace=False)]
        circuit = [circuit.ccx(*qubits), circuit.cx(*qubits[:2])][int(draw.random() < 0.4)]
    return circuit


def clifford_t(draw: Random, n: int) -> skerry.Circuit:
    """Random H, S, T, CX."""
    circuit = skerry.Circuit(n)
    for _ in range(int(draw.integers(5 * n, 12 * n))):
        a, b = pair(draw, n)
        kind = draw.random()
        circuit = circuit.cx(a, b) if kind < 0.4 else circuit.t(a) if kind < 0.65 else circuit.h(a)
        if kind > 0.85:
            circuit = circuit.s(b)
    return circuit


def fourier(draw: Random, n: int) -> skerry.Circuit:
    """A Fourier transform, perhaps there and back with something between."""
    circuit = skerry.Circuit(n)
    for a in range(n):
        circuit = circuit.h(a)
        for b in range(a + 1, n):
            circuit = circuit.p(np.pi / 2 ** (b - a), a, controls=[b])
    if draw.random() < 0.5:
        for a in range(n):
            circuit = circuit.rz(float(draw.normal()), a)
        for a in reversed(range(n)):
            for b in reversed(range(a + 1, n)):
                circuit = circuit.p(-np.pi / 2 ** (b - a), a, controls=[b])
            circuit = circuit.h(a)
    return circuit


def ansatz(draw: Random, n: int) -> skerry.Circuit:
    """Layers of turns and of CX in a line or among all."""
    circuit = skerry.Circuit(n)
    full = draw.random() < 0.5
    for _ in range(int(draw.integers(1, 4))):
        for a in range(n):
            circuit = circuit.ry(float(draw.normal()), a).rz(float(draw.normal()), a)
        for a in range(n - 1):
            for b in range(a + 1, n if full else a + 2):
                circuit = circuit.cx(a, b)
    return circuit


def evolution(draw: Random, n: int) -> skerry.Circuit:
    """Steps of rxx, ryy, rzz on the edges of a random graph."""
    circuit = skerry.Circuit(n)
    edges = [pair(draw, n) for _ in range(int(draw.integers(n, 2 * n)))]
    names = [("rzz",), ("rxx", "ryy", "rzz")][int(draw.random() < 0.4)]
    for _ in range(int(draw.integers(1, 4))):
        for a, b in edges:
            for name in names:
                circuit = getattr(circuit, name)(0.1 + float(draw.random()), a, b)
        for a in range(n):
            circuit = circuit.rx(float(draw.normal()), a)
    return circuit


def gadgets(draw: Random, n: int) -> skerry.Circuit:
    """Turns about random Pauli strings, each with its ladder of CX there and back."""
    circuit = skerry.Circuit(n)
    for _ in range(int(draw.integers(4, 16))):
        on = [int(q) for q in draw.choice(n, int(draw.integers(2, min(n, 5) + 1)), replace=False)]
        turned = [q for q in on if draw.random() < 0.5]
        for q in turned:
            circuit = circuit.h(q)
        for a, b in itertools.pairwise(on):
            circuit = circuit.cx(a, b)
        circuit = circuit.rz(float(draw.normal()), on[-1])
        for a, b in reversed(list(itertools.pairwise(on))):
            circuit = circuit.cx(a, b)
        for q in turned:
            circuit = circuit.h(q)
    return circuit


FAMILIES: list[Callable[[Random, int], skerry.Circuit]] = [
    toffolis,
    clifford_t,
    fourier,
    ansatz,
    evolution,
    gadgets,
]


def gains_of(circuit: skerry.Circuit) -> list[float]:
    """The share of CX that each order saves over high."""
    optimizer = AICircuitOptimizer(tries=0)
    least = max(1, optimizer._run(circuit, ("high",)).cost[0])
    return [1 - optimizer._run(circuit, order).cost[0] / least for order in ORDERS]


def collect(count: int, minutes: float, seed: int) -> tuple[Floats, Floats]:
    """Features and gains of generated circuits; stops early when the time is over."""
    draw = np.random.default_rng(seed)
    features, gains = [], []
    end = time.monotonic() + 60 * minutes
    for index in range(count):
        if time.monotonic() > end:
            break
        circuit = FAMILIES[index % len(FAMILIES)](draw, int(draw.integers(3, 11)))
        features.append(circuit_features(circuit))
        gains.append(gains_of(circuit))
    return np.array(features, np.float64), np.array(gains)


def beside(y: Floats) -> Floats:
    """[n, orders * orders]: what order i gains over high, and what j gains over the better of i and high."""
    kept = np.maximum(y, 0)
    table = np.maximum(kept[:, None, :] - kept[:, :, None], 0)
    index = np.arange(y.shape[1])
    table[:, index, index] = kept
    flat: Floats = np.minimum(table, 0.2).reshape(len(y), -1)
    return flat


def train(x: Floats, y: Floats, steps: int, draw: Random) -> list[Floats]:
    """Two layers by Adam, the mean squared error and a little weight decay."""
    weights = [
        draw.normal(size=(x.shape[1], HIDDEN)) / np.sqrt(x.shape[1]),
        np.zeros(HIDDEN),
        draw.normal(size=(HIDDEN, y.shape[1])) * 0.01,
        y.mean(0),
    ]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(1, steps + 1):
        hidden = np.maximum(x @ weights[0] + weights[1], 0)
        error = 2 * (hidden @ weights[2] + weights[3] - y) / len(x)
        back = (error @ weights[2].T) * (hidden > 0)
        slopes = [x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]
        for k, slope in enumerate(slopes):
            slope = slope + (1e-4 * weights[k] if k % 2 == 0 else 0)
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.999 * second[k] + 0.001 * slope**2
            scale = np.sqrt(second[k] / (1 - 0.999**step)) + 1e-9
            weights[k] = weights[k] - 3e-3 * first[k] / (1 - 0.9**step) / scale
    return weights


def write(weights: list[Floats]) -> None:
    """The network as ONNX: features [n, 12] to gains [n, orders * orders]."""
    names = ["w1", "b1", "w2", "b2"]
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["before"]),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w2", "b2"], ["gains"]),
    ]
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", weights[0].shape[0]])],
        [helper.make_tensor_value_info("gains", TensorProto.FLOAT, ["n", len(ORDERS) ** 2])],
        [numpy_helper.from_array(w.astype(np.float32), name) for w, name in zip(weights, names, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, OUT)


def judge(weights: list[Floats], x: Floats, y: Floats, fixed: Floats, draw: Random) -> None:
    """What is saved over high, in percent, when a few orders are run and the best result is kept."""
    predicted = np.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]

    def kept(chosen: NDArray[np.int64]) -> float:
        best = np.maximum(0, np.take_along_axis(y, chosen, 1).max(1))
        return float(100 * best.mean())

    for tries in (1, 2, 3):
        policy = kept(np.array([choose(row, tries) for row in predicted]))
        average = kept(np.tile(choose(fixed, tries), (len(y), 1)))
        shuffled = np.argsort(draw.random((50, *y.shape)), 2)[:, :, :tries]
        chance = float(np.mean([kept(one) for one in shuffled]))
        print(f"{tries} orders: policy {policy:.2f} %, best on average {average:.2f} %, random {chance:.2f} %")
    print(f"all {len(ORDERS)} orders: {kept(np.tile(np.arange(len(ORDERS)), (len(y), 1))):.2f} %")


def main() -> None:
    """Collects, trains, judges, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--circuits", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    x, y = collect(arguments.circuits, arguments.minutes, seed=1)
    draw = np.random.default_rng(2)
    held = draw.permutation(len(x))[: len(x) // 4]
    seen = np.setdiff1d(np.arange(len(x)), held)
    weights = train(x[seen], beside(y[seen]), arguments.steps, draw)
    print(f"{len(seen)} circuits to learn from, {len(held)} held out; CX saved over high on these:")
    fixed = beside(y[seen]).mean(0)
    judge(weights, x[held], y[held], fixed, draw)
    write(weights)


if __name__ == "__main__":
    main()
