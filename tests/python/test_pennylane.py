"""The device skerry.qubit: the oracle is PennyLane's default.qubit, or a closed form."""

import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

qp = pytest.importorskip("pennylane")

from pennylane.exceptions import DeviceError  # noqa: E402
from skerry.pennylane import SkerryDevice  # noqa: E402

WIRES = ["a", 7, "c", 0]


def mix() -> None:
    """A state in which every gate does something, phase included."""
    for place, wire in enumerate(WIRES):
        qp.Rot(0.3 + place, 0.4, 0.5, wires=wire)
    for first, second in itertools.pairwise(WIRES):
        qp.CNOT([first, second])


def both(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
    """Ours and theirs."""
    ours = qp.QNode(function, SkerryDevice(wires=WIRES), **keywords)(*arguments)
    theirs = qp.QNode(function, qp.device("default.qubit", wires=WIRES), **keywords)(*arguments)
    return ours, theirs


def unitary(num_wires: int) -> Any:
    rng = np.random.default_rng(num_wires)
    size = 2**num_wires
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


OPERATORS: list[Callable[[], Any]] = [
    *(lambda g=g: g(wires="c") for g in (qp.X, qp.Y, qp.Z, qp.H, qp.S, qp.T, qp.SX, qp.Identity)),
    *(lambda g=g: g(0.7, wires="a") for g in (qp.RX, qp.RY, qp.RZ, qp.PhaseShift, qp.U1, qp.GlobalPhase)),
    *(lambda g=g: g([7, "a"]) for g in (qp.CNOT, qp.CY, qp.CZ, qp.CH, qp.SWAP, qp.ISWAP, qp.SISWAP, qp.ECR)),
    *(lambda g=g: g([0, "c", 7]) for g in (qp.Toffoli, qp.CSWAP, qp.CCZ)),
    *(lambda g=g: g(0.7, ["c", 7]) for g in (qp.CRX, qp.CRY, qp.CRZ, qp.ControlledPhaseShift, qp.PSWAP)),
    *(lambda g=g: g(0.7, ["c", 7]) for g in (qp.IsingXX, qp.IsingYY, qp.IsingZZ, qp.IsingXY, qp.SingleExcitation)),
    *(lambda g=g: g(0.7, WIRES) for g in (qp.DoubleExcitation, qp.DoubleExcitationPlus, qp.MultiRZ)),
    lambda: qp.Rot(0.1, 0.2, 0.3, 7),
    lambda: qp.CRot(0.1, 0.2, 0.3, [7, "c"]),
    lambda: qp.U2(0.1, 0.2, 7),
    lambda: qp.U3(0.1, 0.2, 0.3, 7),
    lambda: qp.QubitUnitary(unitary(2), ["c", 7]),
    lambda: qp.DiagonalQubitUnitary(np.exp(1j * np.arange(4)), [0, "a"]),
    lambda: qp.MultiControlledX(WIRES, control_values=[1, 0, 1]),
    lambda: qp.QFT(WIRES),
    lambda: qp.PauliRot(0.3, "XYZ", ["a", 0, 7]),
    lambda: qp.OrbitalRotation(0.3, WIRES),
    lambda: qp.TrotterProduct(qp.sum(qp.X("a"), qp.Z(7)), 0.3),
]
AROUND: list[Callable[[Callable[[], Any]], Any]] = [
    lambda make: make(),
    lambda make: qp.adjoint(make()),
    lambda make: qp.adjoint(qp.adjoint(make())),
]


@pytest.mark.parametrize("around", AROUND, ids=["plain", "adjoint", "twice"])
@pytest.mark.parametrize("make", OPERATORS, ids=lambda make: make().name)
def test_an_operator_means_what_it_means_there(make: Any, around: Any) -> None:
    def circuit() -> Any:
        mix()
        around(make)
        return qp.state()

    ours, theirs = both(circuit)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("values", [(1,), (0,)])
@pytest.mark.parametrize("make", [make for make in OPERATORS if "a" not in make().wires], ids=lambda make: make().name)
def test_a_controlled_operator_means_what_it_means_there(make: Any, values: Any) -> None:
    def circuit() -> Any:
        mix()
        qp.ctrl(make(), "a", control_values=values)
        qp.adjoint(qp.ctrl(make(), "a", control_values=values))
        qp.ctrl(make(), "a", control_values=values)
        return qp.state()

    ours, theirs = both(circuit)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


MEASUREMENTS: list[Callable[[], Any]] = [
    lambda: qp.expval(qp.Z("a") @ qp.X(7) - 0.3 * qp.Y(0) + 2 * qp.I("c")),
    lambda: qp.expval(qp.Hadamard(7)),
    lambda: qp.expval(qp.Hermitian(np.array([[1, 2j], [-2j, 0.5]]), wires="c")),
    lambda: qp.expval(qp.Projector([1, 0], wires=["a", 0])),
    lambda: qp.expval(qp.prod(qp.Hadamard(7), qp.Z("a"))),
    lambda: qp.var(qp.Z("a") @ qp.Y(0)),
    lambda: qp.var(qp.X("c") + 0.5 * qp.Z("c")),
    lambda: qp.probs(wires=[0, "a"]),
    lambda: qp.probs(op=qp.X(7)),
]


@pytest.mark.parametrize("number", range(len(MEASUREMENTS)))
def test_a_measurement_gives_what_it_gives_there(number: int) -> None:
    def circuit() -> Any:
        mix()
        return MEASUREMENTS[number]()

    ours, theirs = both(circuit)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)
    # Shots: five standard deviations of the mean of what lies in [-5, 5].
    sampled, _ = both(circuit, shots=20_000)
    assert np.shape(sampled) == np.shape(ours)
    np.testing.assert_allclose(sampled, ours, atol=5 * 10 / np.sqrt(20_000))


def test_all_measurements_of_one_circuit() -> None:
    def circuit() -> Any:
        mix()
        return *(make() for make in MEASUREMENTS[:8]), qp.purity(["a"]), qp.vn_entropy([7]), qp.density_matrix([0])

    for ours, theirs in zip(*both(circuit), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_samples_counts_and_shot_vectors_have_their_shapes() -> None:
    def circuit() -> Any:
        qp.X("a")
        qp.X(0)
        return qp.sample(wires=["a", 7]), qp.counts(), qp.sample(qp.Z("a")), qp.expval(qp.Z(7))

    sample, counts, values, mean = both(circuit, shots=10)[0]
    np.testing.assert_array_equal(sample, [[1, 0]] * 10)
    assert {str(key): int(times) for key, times in counts.items()} == {"1001": 10}
    np.testing.assert_array_equal(values, [-1] * 10)
    assert mean == 1
    split = both(circuit, shots=[3, (4, 2)])[0]
    assert [len(one[0]) for one in split] == [3, 4, 4]


@pytest.mark.parametrize("asked", [[1], [0, 1], [1, 2], [0, 1, 2]])
@pytest.mark.parametrize("shots", [10, [10, 20]])
def test_the_variance_of_a_sum_stands_beside_other_measurements(asked: list[int], shots: Any) -> None:
    makes = [lambda: qp.expval(qp.Z(0) + qp.Z(7)), lambda: qp.var(qp.Z(0) + qp.Z("a")), lambda: qp.expval(qp.Z(7))]
    result = both(lambda: tuple(makes[place]() for place in asked), shots=shots)[0]
    for one in result if isinstance(shots, list) else [result]:
        np.testing.assert_allclose(np.ravel(one), [[2, 0, 1][place] for place in asked])


def test_same_seed_same_samples() -> None:
    def circuit() -> Any:
        mix()
        return qp.sample()

    def samples(seed: Any) -> Any:
        return qp.QNode(circuit, SkerryDevice(wires=WIRES, seed=seed), shots=50)()

    np.testing.assert_array_equal(samples(3), samples(3))
    assert not np.array_equal(samples(3), samples(4))


def test_prepared_states_and_batches_of_parameters() -> None:
    def circuit(angles: Any) -> Any:
        qp.StatePrep(np.array([0.6, 0, 0, 0.8j]), wires=["c", "a"])
        qp.RX(angles, 7)
        qp.CNOT([7, 0])
        return qp.expval(qp.Z(0)), qp.probs(wires=["a", 7])

    for ours, theirs in zip(*both(circuit, np.linspace(0, 1, 5)), strict=True):
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, atol=1e-10)

    def basis() -> Any:
        qp.BasisState([1, 0, 1], wires=[0, 7, "a"])
        return qp.probs()

    ours, theirs = both(basis)
    np.testing.assert_allclose(ours, theirs)


def test_wires_of_the_circuit_and_none_given() -> None:
    def circuit() -> Any:
        qp.X("b")
        qp.CNOT(["b", "a"])
        qp.RX(0.3, "c")
        return qp.expval(qp.Z("c")), qp.probs(wires=["a", "b"])

    value, chances = qp.QNode(circuit, SkerryDevice())()
    assert value == pytest.approx(np.cos(0.3))
    np.testing.assert_allclose(chances, [0, 0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("shots", [None, 20_000])
def test_measuring_midway_resets_and_decides(shots: int | None) -> None:
    def circuit() -> Any:
        qp.RY(0.8, 0)
        first = qp.measure(0, reset=True)
        qp.cond(first, qp.RY)(0.5, 1)
        return qp.expval(qp.Z(1)), qp.expval(qp.Z(0)), qp.probs(op=first)

    one = np.sin(0.4) ** 2
    turned, reset, chances = qp.QNode(circuit, SkerryDevice(wires=3, seed=1), shots=shots)()
    tolerance = 1e-10 if shots is None else 5 / np.sqrt(shots)
    assert turned == pytest.approx(1 - one + one * np.cos(0.5), abs=tolerance)
    assert reset == pytest.approx(1, abs=tolerance)
    np.testing.assert_allclose(chances, [1 - one, one], atol=tolerance)


def teleported(angle: float) -> Any:
    """Carries rx(angle)|0> from wire a to wire c, and measures what is left of it midway."""
    qp.RX(angle, wires="a")
    qp.H(7)
    qp.CNOT([7, "c"])
    qp.CNOT(["a", 7])
    qp.H("a")
    first, second = qp.measure("a"), qp.measure(7, reset=True)
    qp.cond(second, qp.X)("c")
    qp.cond(first, qp.Z)("c")
    return first, second


@pytest.mark.parametrize("method", [None, "device", "one-shot", "tree-traversal"])
def test_a_state_is_teleported_on_three_wires_shot_by_shot(method: str | None) -> None:
    shots, angle = 20_000, 0.9
    near = 5 / np.sqrt(shots)

    def circuit() -> Any:
        first, second = teleported(angle)
        means = (qp.expval(qp.Y("c")), qp.expval(first), qp.expval(first + 2 * second), qp.var(second))
        return (*means, qp.probs(op=[first, second]), qp.probs(wires=[7]), qp.counts([first, second]), qp.sample(first))

    device = SkerryDevice(wires=["a", 7, "c"], seed=1)  # put off, two more wires would be needed
    y, one, both_bits, var, four, reset, counts, samples = qp.QNode(circuit, device, shots=shots, mcm_method=method)()
    assert y == pytest.approx(-np.sin(angle), abs=near)
    assert one == pytest.approx(0.5, abs=near) and both_bits == pytest.approx(1.5, abs=3 * near)
    assert var == pytest.approx(0.25, abs=near)
    np.testing.assert_allclose(four, 0.25, atol=near)
    np.testing.assert_allclose(reset, [1, 0])
    assert set(counts) == {"00", "01", "10", "11"} and sum(counts.values()) == shots
    assert samples.shape == (shots,) and samples.mean() == pytest.approx(one)


@pytest.mark.parametrize("method", [None, "tree-traversal"])
def test_exact_results_of_measuring_midway_need_no_more_wires(method: str | None) -> None:
    def circuit(x: Any) -> Any:
        qp.RX(x, wires="a")
        qp.CNOT(["a", 7])
        first = qp.measure("a", reset=True)
        qp.RY(0.4, wires="a")
        second = qp.measure(7)
        qp.cond(first & (second == 1), qp.RX)(0.7, wires="c")
        qp.cond(~first | second, qp.IsingXX)(0.5, wires=["c", "a"])
        last = qp.measure("c")
        means = (
            qp.expval(qp.Z("c")),
            qp.expval(qp.X("a") @ qp.Z(7)),
            qp.expval(first + 2 * second - last),
            qp.var(last),
        )
        return *means, qp.probs(op=[last, first]), qp.probs(op=~last), qp.probs(wires=["a", "c"])

    ours = qp.QNode(circuit, SkerryDevice(wires=["a", 7, "c"]), mcm_method=method)(0.9)
    theirs = qp.QNode(circuit, qp.device("default.qubit"))(0.9)  # puts them off, to wires of its own
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-12)


def test_outcomes_at_the_end_have_their_distribution_and_gradients_pass_through_conditions() -> None:
    def ends(x: Any) -> Any:
        qp.RY(x, 0)
        qp.CNOT([0, 1])
        return qp.probs(op=[qp.measure(0), qp.measure(1)])

    one = np.sin(0.35) ** 2
    np.testing.assert_allclose(qp.QNode(ends, SkerryDevice(wires=2))(0.7), [1 - one, 0, 0, one], atol=1e-12)

    def decides(x: Any) -> Any:
        qp.RY(x, 0)
        qp.cond(qp.measure(0), qp.RY)(0.5 * x, 1)
        return qp.expval(qp.Z(1))

    x = qp.numpy.array(0.7, requires_grad=True)
    one_chance, turned = np.sin(0.35) ** 2, np.cos(0.35)  # the mean is 1 - one_chance (1 - turned)
    exact = -0.5 * np.sin(0.7) * (1 - turned) - 0.5 * one_chance * np.sin(0.35)
    for method in ("best", "parameter-shift"):  # PennyLane takes finite differences for what stands under a condition
        slope = qp.grad(qp.QNode(decides, SkerryDevice(wires=2), diff_method=method))(x)
        assert slope == pytest.approx(exact, abs=1e-7), method


def test_a_condition_may_be_any_function_of_outcomes() -> None:
    def circuit() -> Any:
        qp.H(0)
        qp.RY(1.1, 1)
        first, second = qp.measure(0), qp.measure(1)
        qp.cond((first + 2 * second) >= 2, qp.X)(2)
        qp.cond(~first & ~second, qp.ctrl(qp.IsingXX, control=3, control_values=[0]))(np.pi, wires=[2, 4])
        return qp.sample(first), qp.sample(second), qp.sample(wires=[2]), qp.sample(wires=[4])

    node = qp.QNode(circuit, SkerryDevice(wires=5, seed=3), shots=500)
    first, second, third, fifth = (np.ravel(one) for one in node())
    np.testing.assert_array_equal(fifth, (first == 0) & (second == 0))
    np.testing.assert_array_equal(third, (second == 1) | (fifth == 1))


def test_shots_that_fail_a_postselection_are_left_out() -> None:
    def circuit() -> Any:
        qp.RY(2 * np.arcsin(0.6), 0)
        qp.CNOT([0, 1])
        first = qp.measure(0, postselect=1)
        return qp.sample(wires=[1]), qp.expval(qp.Z(1)), qp.probs(op=first)

    samples, mean, chances = qp.QNode(circuit, SkerryDevice(wires=2, seed=3), shots=5000)()
    assert len(samples) / 5000 == pytest.approx(0.36, abs=5 * 0.48 / np.sqrt(5000))
    assert np.all(samples == 1) and mean == -1
    np.testing.assert_array_equal(chances, [0, 1])

    def never() -> Any:
        qp.measure(0, postselect=1)
        return qp.expval(qp.Z(0)), qp.probs(wires=[0])

    assert all(np.all(np.isnan(one)) for one in qp.QNode(never, SkerryDevice(wires=1), shots=10)())


def batched(angles: Any, weights: Any) -> Any:
    """One batch of angles in gates of several kinds, inverses among them, which use their angles in another order."""
    qp.RX(angles, wires="a")
    qp.adjoint(qp.Rot(angles, 0.1, weights[0], wires=7))
    qp.adjoint(qp.CRot(weights[1], angles, 0.3, wires=["a", "c"]))
    qp.ctrl(qp.RY(angles, wires=0), ["a", "c"], control_values=[0, 1])
    qp.QubitUnitary(unitary(2), wires=["c", 0])
    qp.IsingXY(weights[2], wires=[7, "c"])


@pytest.mark.parametrize("means_only", [True, False])
def test_a_batch_of_angles_is_one_circuit(means_only: bool) -> None:
    def circuit(angles: Any) -> Any:
        batched(angles, [0.2, 0.4, 0.6])
        qp.adjoint(qp.U3(0.2, angles, 0.3, wires=7))
        if not means_only:
            return MEANS[0](), qp.probs(wires=[0, "a"]), qp.var(qp.X(7))
        return tuple(make() for make in MEANS)  # type: ignore[no-untyped-call]

    device = SkerryDevice(wires=WIRES)
    angles = np.linspace(-1, 2, 7)
    with qp.Tracker(device) as tracker:
        ours = qp.QNode(circuit, device)(angles)
    assert tracker.totals["simulations"] == 1
    theirs = qp.QNode(circuit, qp.device("default.qubit", wires=WIRES))(angles)
    for our, their in zip(ours, theirs, strict=True):
        assert np.shape(our) == np.shape(their)
        np.testing.assert_allclose(our, their, atol=1e-12)
    # Matrices in a batch, and shots, fall apart into rows.
    rotated = qp.QNode(
        lambda: (qp.QubitUnitary(np.stack([np.eye(2), [[0, 1], [1, 0]]]), 7), qp.expval(qp.Z(7)))[1], device
    )
    np.testing.assert_allclose(rotated(), [1, -1])
    noisy = qp.QNode(circuit, device, shots=20_000)(angles)
    np.testing.assert_allclose(noisy[0], theirs[0], atol=5 * 1.5 / np.sqrt(20_000))


@pytest.mark.parametrize("product", [True, False])
def test_a_batch_has_the_gradient_of_its_rows(product: bool) -> None:
    weights = qp.numpy.array([0.2, 0.4, 0.6], requires_grad=True)
    angles = qp.numpy.linspace(-1, 2, 5, requires_grad=True)

    def cost(device: Any, **keywords: Any) -> Any:
        def circuit(x: Any, w: Any) -> Any:
            batched(x, w)
            return tuple(make() for make in MEANS)  # type: ignore[no-untyped-call]

        node = qp.QNode(circuit, device, **keywords)
        factors = qp.numpy.arange(1, 6)

        def weighted(x: Any, w: Any) -> Any:
            return sum(qp.numpy.sum(factors * one**2) for one in node(x, w))

        return qp.grad(weighted)(angles, weights)

    ours = cost(SkerryDevice(wires=WIRES), diff_method="adjoint", device_vjp=product)
    theirs = cost(qp.device("default.qubit", wires=WIRES), diff_method="backprop")
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-9)


def trained(angles: Any, fixed: Any) -> Any:
    """Gates of every kind with an angle, angles used twice, one that is not trained, and a matrix."""
    qp.RX(angles[0], wires="a")
    qp.Rot(angles[1], fixed, angles[2], wires=7)
    qp.CRot(angles[3], angles[0], 0.3, wires=["a", 7])
    qp.QubitUnitary(unitary(2), wires=["c", 0])
    qp.IsingXY(angles[4], wires=["c", 7])
    qp.adjoint(qp.PhaseShift(angles[5] ** 2, wires="c"))
    qp.adjoint(qp.Rot(angles[0], angles[3], fixed, wires=0))
    qp.ctrl(qp.RY(angles[1] * fixed, wires=0), ["a", "c"], control_values=[0, 1])
    qp.SingleExcitation(angles[2], wires=[7, 0])
    qp.PauliRot(angles[4], "XZ", wires=["a", 0])


ANGLES = qp.numpy.array([0.4, 0.9, -0.3, 1.1, 0.7, 0.2], requires_grad=True)
FIXED = qp.numpy.array(0.6, requires_grad=False)
MEANS = [
    lambda: qp.expval(qp.Z("a") @ qp.X(7) + 0.5 * qp.Y(0)),
    lambda: qp.expval(qp.Z("c")),
    lambda: qp.expval(qp.X(0)),
]


@pytest.mark.parametrize("method", ["best", "adjoint", "parameter-shift"])
@pytest.mark.parametrize("product", [True, False])
def test_jacobians_are_those_of_back_propagation(method: str, product: bool) -> None:
    def circuit(angles: Any, fixed: Any) -> Any:
        trained(angles, fixed)
        return tuple(make() for make in MEANS)  # type: ignore[no-untyped-call]

    def stacked(device: Any, **keywords: Any) -> Any:
        node = qp.QNode(circuit, device, **keywords)
        return qp.jacobian(lambda *given: qp.numpy.hstack(node(*given)), argnums=0)(ANGLES, FIXED)

    keywords = {} if method == "parameter-shift" else {"device_vjp": product}
    ours = stacked(SkerryDevice(wires=WIRES), diff_method=method, **keywords)
    theirs = stacked(qp.device("default.qubit", wires=WIRES), diff_method="backprop")
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("make", MEANS)
def test_the_gradient_of_one_mean(make: Any) -> None:
    def circuit(angles: Any, fixed: Any) -> Any:
        trained(angles, fixed)
        return make()

    ours = qp.grad(qp.QNode(circuit, SkerryDevice(wires=WIRES), diff_method="adjoint"), argnums=0)(ANGLES, FIXED)
    theirs = qp.grad(qp.QNode(circuit, qp.device("default.qubit", wires=WIRES)), argnums=0)(ANGLES, FIXED)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_a_node_that_was_asked_before_gives_new_answers_to_new_angles() -> None:
    node = qp.QNode(lambda x: (qp.RX(x, wires=0), qp.expval(qp.Z(0)))[1], SkerryDevice(wires=1))
    for x in qp.numpy.array([0.1, 0.2, 3.0]):
        assert node(x) == pytest.approx(np.cos(x), abs=1e-12)
        assert qp.grad(node, argnums=0)(x) == pytest.approx(-np.sin(x), abs=1e-12)


def test_what_has_no_adjoint_derivative_falls_back_or_is_refused() -> None:
    def circuit(x: Any) -> Any:
        qp.RX(x, wires=0)
        return qp.probs(wires=0)

    x = qp.numpy.array(0.4, requires_grad=True)
    slopes = qp.jacobian(qp.QNode(circuit, SkerryDevice(wires=1)))(x)
    np.testing.assert_allclose(slopes, [-np.sin(0.4) / 2, np.sin(0.4) / 2], atol=1e-9)
    with pytest.raises((DeviceError, qp.exceptions.QuantumFunctionError)):
        qp.jacobian(qp.QNode(circuit, SkerryDevice(wires=1), diff_method="adjoint"))(x)


def test_the_tracker_counts_executions_and_shots() -> None:
    device = SkerryDevice(wires=1)
    node = qp.QNode(lambda: qp.expval(qp.Z(0)), device, shots=7)
    with qp.Tracker(device) as tracker:
        node()
        node()
    assert tracker.totals["executions"] == 2
    assert tracker.totals["shots"] == 14


def test_single_precision_is_near() -> None:
    node = qp.QNode(lambda: (qp.RX(0.3, 0), qp.expval(qp.Z(0)))[1], SkerryDevice(wires=1, c_dtype=np.complex64))
    assert node() == pytest.approx(np.cos(0.3), abs=1e-6)
    assert SkerryDevice(c_dtype=np.complex64).c_dtype == np.complex64


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(DeviceError, match="complex64 and complex128"):
        SkerryDevice(c_dtype=np.float64)

    def midway() -> Any:
        qp.measure(0, postselect=1)
        return qp.expval(qp.Z(0))

    with pytest.raises(DeviceError, match="hw-like"):
        qp.QNode(midway, SkerryDevice(wires=1), postselect_mode="fill-shots", shots=5)()

    def state() -> Any:
        qp.measure(0, postselect=1)
        return qp.purity([0])

    with pytest.raises(DeviceError, match="what is asked here"):
        qp.QNode(state, SkerryDevice(wires=2), mcm_method="tree-traversal")()
    with pytest.raises(ValueError, match="ostselect"):
        qp.QNode(state, SkerryDevice(wires=2))()


def test_the_device_is_found_by_its_name() -> None:
    device = qp.device("skerry.qubit", wires=2)
    assert isinstance(device, SkerryDevice)
    assert device.name == "skerry.qubit"


def test_tapes_that_look_alike_are_told_apart() -> None:
    device = qp.device("skerry.qubit", wires=3)
    plain = qp.device("default.qubit", wires=3)

    def body(x: Any, control: int, weight: float, gate: Any) -> Any:
        qp.RX(x[0], 0)
        gate(x[1], wires=1)
        qp.CNOT([control, 2])
        qp.Rot(x[0], x[1], 0.3, wires=2)
        return qp.expval(weight * qp.Z(2) + qp.X(1))

    x = qp.numpy.array([0.3, 0.8], requires_grad=True)
    for _ in range(2):  # written first, found then
        for control, weight, gate in ((0, 1.0, qp.RY), (1, 1.0, qp.RY), (0, 0.5, qp.RY), (0, 1.0, qp.RX)):
            ours, theirs = (
                qp.grad(qp.QNode(body, one, diff_method=how))(x, control, weight, gate)
                for one, how in ((device, "adjoint"), (plain, "backprop"))
            )
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
    batch = qp.numpy.array([[0.3, 0.1], [0.8, 0.2]], requires_grad=True)
    ours, theirs = (qp.QNode(body, one)(batch, 0, 1.0, qp.RY) for one in (device, plain))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_device_is_pickled_without_what_it_has_prepared() -> None:
    device = SkerryDevice(wires=["a", "b"], c_dtype=np.complex64, seed=3)
    circuit = qp.QNode(lambda x: (qp.RX(x, "a"), qp.expval(qp.Z("a")))[1], device)
    x = qp.numpy.array(0.3, requires_grad=True)
    slope = qp.grad(circuit)(x)
    other = pickle.loads(pickle.dumps(device))
    assert other.c_dtype == np.complex64
    assert qp.grad(qp.QNode(circuit.func, other))(x) == pytest.approx(slope, abs=1e-6)
