"""The device `skerry.qubit` under postselection and with every method; the oracle is default.qubit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skerry

qp = pytest.importorskip("pennylane")

from skerry.pennylane import SkerryDevice  # noqa: E402


def postselected(x: Any, answers: Callable[..., Any]) -> Any:
    """Two selections, one with a reset, conditions, and an outcome that is not selected."""
    qp.RX(x[0], 0)
    qp.RY(x[1], 1)
    qp.CNOT([0, 1])
    first = qp.measure(0, postselect=1)
    qp.cond(first, qp.RY)(x[2], 2)
    qp.CNOT([1, 2])
    second = qp.measure(1, reset=True, postselect=0)
    third = qp.measure(2)
    qp.cond(third, qp.X)(0)
    qp.RX(x[0] * x[1], 1)
    return answers(first, second, third)


def test_postselection_without_shots_conditions_every_answer() -> None:
    def answers(first: Any, second: Any, third: Any) -> Any:
        means = qp.expval(qp.Z(0) @ qp.X(1) + 0.3 * qp.Y(1)), qp.expval(first * 2 + third), qp.var(third)
        return *means, qp.probs([0, 2]), qp.probs(op=[second, third]), qp.expval(qp.Z(2)), qp.probs([2, 1, 0])

    x = np.array([0.4, 1.1, 0.7])
    ours, theirs = (
        qp.QNode(postselected, one)(x, answers) for one in (SkerryDevice(wires=3), qp.device("default.qubit"))
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


def test_postselection_goes_with_prepared_states() -> None:
    def circuit() -> Any:
        qp.StatePrep(np.array([0.6, 0, 0, 0.8]), [0, 1])
        qp.RX(0.3, 0)
        qp.measure(1, postselect=1)
        return qp.expval(qp.Y(0)), qp.probs([0, 1])

    ours, theirs = (qp.QNode(circuit, one)() for one in (SkerryDevice(wires=2), qp.device("default.qubit")))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


def test_what_never_happens_gives_no_numbers() -> None:
    def never() -> Any:
        outcome = qp.measure(0, postselect=1)
        return qp.expval(qp.Z(0)), qp.probs([0]), qp.expval(outcome)

    assert all(np.isnan(answer).all() for answer in qp.QNode(never, SkerryDevice(wires=1))())


def test_the_gradient_of_a_postselected_circuit_is_right() -> None:
    def circuit(x: Any) -> Any:
        qp.RY(x[0], 0)
        qp.RX(x[1], 1)
        qp.CRY(x[2], [0, 1])
        qp.measure(1, postselect=1)
        return qp.expval(qp.Z(0))

    x = qp.numpy.array([0.4, 1.1, 0.7], requires_grad=True)
    found = qp.grad(qp.QNode(circuit, SkerryDevice(wires=2)))(x)
    expected = qp.grad(qp.QNode(circuit, qp.device("default.qubit"), diff_method="backprop"))(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("method", ["auto", "statevector", "density", "stabilizer", "mps", "tensor_network"])
def test_every_method_answers_without_shots(method: str) -> None:
    def circuit() -> Any:
        qp.H(0)
        qp.CNOT([0, 1])
        qp.S(1)
        qp.CNOT([1, 2])
        means = qp.expval(qp.X(0) @ qp.Y(1) @ qp.X(2)), qp.var(qp.Z(1)), qp.var(0.5 * qp.Z(0) @ qp.Z(1) + qp.X(2))
        # Contraction has no distributions.
        return means if method == "tensor_network" else (*means, qp.probs([0, 2]), qp.probs([1]))

    ours, theirs = (
        qp.QNode(circuit, one)() for one in (SkerryDevice(wires=3, method=method), qp.device("default.qubit"))
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


@pytest.mark.parametrize("method", ["auto", "statevector", "density", "stabilizer", "mps", "trajectories"])
def test_every_method_that_samples_measures_midway(method: str) -> None:
    def circuit() -> Any:
        qp.H(0)
        qp.CNOT([0, 1])
        outcome = qp.measure(0)
        qp.cond(outcome, qp.X)(2)
        return qp.counts(wires=[0, 1, 2]), qp.expval(qp.Z(2) @ qp.Z(0))

    counts, mean = qp.QNode(circuit, SkerryDevice(wires=3, method=method, seed=1), shots=500)()
    assert set(map(str, counts)) == {"000", "111"}
    assert abs(int(counts["000"]) - 250) <= 5 * np.sqrt(125)
    assert mean == 1


def test_a_method_without_a_state_refuses_what_needs_one() -> None:
    node = qp.QNode(lambda: qp.state(), SkerryDevice(wires=1, method="stabilizer"))
    with pytest.raises(skerry.Unsupported, match="stabilizer"):
        node()


@pytest.mark.parametrize("shots", [4000, (1000, 3000)])
def test_a_batch_with_shots_is_one_circuit(shots: Any) -> None:
    angles = np.array([0.1, 0.9, 2.0])

    def circuit(x: Any, *, samples: bool = True) -> Any:
        qp.RX(x, 0)
        qp.CNOT([0, 1])
        qp.RY(0.3, 1)
        means = qp.expval(qp.X(1)), qp.probs([0, 1]), qp.var(qp.Z(0)), qp.expval(qp.Y(0) @ qp.Y(1))
        return (*means, qp.sample(wires=[1])) if samples else means

    device = SkerryDevice(wires=2, seed=4)
    with qp.Tracker(device) as tracker:
        ours = qp.QNode(circuit, device, shots=shots)(angles)
    assert tracker.totals["simulations"] == 3  # bases that cannot be measured together, not 3 rows of each
    theirs = qp.QNode(circuit, qp.device("default.qubit", seed=4), shots=shots)(angles)
    exact = qp.QNode(circuit, qp.device("default.qubit"))(angles, samples=False)
    bins = [(ours, theirs)] if isinstance(shots, int) else list(zip(ours, theirs, strict=True))
    for mine, other in bins:
        assert [np.shape(one) for one in mine] == [np.shape(one) for one in other]
        for one, sure in zip(mine, exact, strict=False):
            np.testing.assert_allclose(one, sure, atol=5 / np.sqrt(1000))
