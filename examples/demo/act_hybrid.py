"""Dense layer -> parameterised circuit -> dense layer: two half moons told apart.

The first layer and the circuit make quantum features of a point: fixed, seeded angles that are linear in it, and the
expectations of Paulis. The last layer is the ridge regression of the labels on those features, in closed form.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import skerry
from numpy.typing import NDArray
from skerry import Circuit, GraphBuilder, Model, Observable, Parameter
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression
from stage import Stage

QUBITS, LAYERS, RIDGE = 4, 2, 1e-2
ANGLES = QUBITS * LAYERS
Array = NDArray[np.float32]


def circuit() -> Circuit:
    """Each layer turns every qubit by an angle of its own and entangles the ring."""
    made = Circuit(QUBITS)
    made.name = "features"
    for layer in range(LAYERS):
        for qubit in range(QUBITS):
            made.ry(Parameter(f"a{layer * QUBITS + qubit}"), qubit)
        for qubit in range(QUBITS):
            made.cx(qubit, (qubit + 1) % QUBITS)
    return made


def observables() -> list[Observable]:
    singles = [Observable.parse(f"{pauli}{q}", QUBITS) for pauli in "ZX" for q in range(QUBITS)]
    pairs = [Observable.parse(f"Z{a} Z{b}", QUBITS) for a, b in combinations(range(QUBITS), 2)]
    return singles + pairs


def model(weight: Array, bias: Array, read_out: Array | None = None) -> Model:
    """Features alone, or, with a read-out [features + 1], the score whose sign is the class."""
    g = GraphBuilder("moons")
    points = g.input("points", ["N", 2])
    angles = g.add("Gemm", [points, g.constant(weight, "weight"), g.constant(bias, "bias")], name="angles")
    features = g.circuit(circuit(), angles, observables(), name="features")
    if read_out is None:
        g.output(features)
    else:
        last = [g.constant(np.ascontiguousarray(read_out[:-1, None]), "read_out"), g.constant(read_out[-1:], "offset")]
        g.output(g.add("Gemm", [features, *last], name="score"))
    return g.build()


def trained(points: Array, labels: NDArray[np.int64]) -> Model:
    random = np.random.default_rng(4)
    weight = random.normal(0, 1.0, (2, ANGLES)).astype(np.float32)
    bias = random.uniform(0, np.pi, ANGLES).astype(np.float32)
    features = model(weight, bias).session().run({"points": points})["features"].astype(np.float64)
    design = np.hstack([features, np.ones((len(features), 1))])
    normal = design.T @ design + RIDGE * np.eye(design.shape[1])
    read_out = np.linalg.solve(normal, design.T @ (2.0 * labels - 1.0))
    return model(weight, bias, read_out.astype(np.float32))


def map_of(classifier: Model, points: Array, columns: int = 60, rows: int = 16) -> list[str]:
    """The plane, shaded by the class that the model gives it, with the points as letters."""
    low, high = points.min(0) - 0.2, points.max(0) + 0.2
    xs, ys = np.linspace(low[0], high[0], columns), np.linspace(high[1], low[1], rows)
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2).astype(np.float32)
    scores = classifier.session().run({"points": grid})["score"].reshape(rows, columns)
    return ["".join("#" if score > 0 else "." for score in row) for row in scores]


def play(stage: Stage) -> None:
    stage.title("4. A hybrid: dense layer, circuit, dense layer")
    points, labels = make_moons(600, noise=0.15, random_state=3)
    points = points.astype(np.float32)
    train, test = slice(0, 400), slice(400, None)
    classifier = trained(points[train], labels[train])
    stage.say(str(classifier))
    for line in map_of(classifier, points[test]):
        stage.say(line)

    result = skerry.run(classifier, inputs={"points": points[test]})
    score = result.outputs["score"]
    straight = LogisticRegression().fit(points[train], labels[train]).predict(points[test])
    for name, guess in (("the hybrid", score[:, 0] > 0), ("a straight line (scikit-learn)", straight)):
        stage.say(f"{name:31} {100 * np.mean(guess == labels[test]):6.2f} % of {len(score)} new points")
    stage.price(result)
    stage.again_model(stage.packaged(classifier, "moons"), {"points": points[test]}, {"score": score})
