"""The device skerry.qubit behind JAX: values, gradients and compiled functions are those of default.qubit."""

from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
qp = pytest.importorskip("pennylane")

import jax.numpy as jnp  # noqa: E402
from skerry.pennylane import SkerryDevice  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PennyLane's use of JAX
jax.config.update("jax_enable_x64", True)
ANGLES = jnp.array([[0.3, -0.7, 1.1], [0.2, 2.0, -1.3]])


def node(device: Any, **keywords: Any) -> Any:
    @qp.qnode(device, interface="jax", **keywords)  # type: ignore[untyped-decorator]
    def made(angles: Any) -> Any:
        for layer in range(2):
            for wire in range(3):
                qp.RY(angles[layer, wire], wire)
            qp.CNOT([0, 1])
            qp.CNOT([1, 2])
        return qp.expval(qp.Z(0) @ qp.X(2) + 0.5 * qp.Y(1))

    return made


@pytest.mark.parametrize("method", ["adjoint", "parameter-shift"])
def test_values_and_gradients(method: str) -> None:
    ours, theirs = node(SkerryDevice(wires=3), diff_method=method), node(qp.device("default.qubit", wires=3))
    assert np.allclose(ours(ANGLES), theirs(ANGLES), atol=1e-12)
    assert np.allclose(jax.grad(ours)(ANGLES), jax.grad(theirs)(ANGLES), atol=1e-12)


def test_a_compiled_function_and_its_gradient() -> None:
    ours, theirs = node(SkerryDevice(wires=3)), node(qp.device("default.qubit", wires=3))
    value, grad = jax.jit(jax.value_and_grad(ours))(ANGLES)
    assert np.allclose(value, theirs(ANGLES), atol=1e-12)
    assert np.allclose(grad, jax.grad(theirs)(ANGLES), atol=1e-12)


def test_a_batch_and_its_gradient() -> None:
    batch = jnp.stack([ANGLES, 2 * ANGLES, -ANGLES], axis=-1)  # [layer, wire, row]
    weights = jnp.array([1.0, -0.5, 2.0])

    def cost(device: Any, **keywords: Any) -> Any:
        made = node(device, **keywords)
        return jax.grad(lambda angles: jnp.sum(weights * made(angles)))(batch)

    theirs = cost(qp.device("default.qubit", wires=3))
    for product in (True, False):
        ours = cost(SkerryDevice(wires=3), diff_method="adjoint", device_vjp=product)
        assert np.allclose(ours, theirs, atol=1e-12)


def test_shots_that_fail_a_postselection_are_rows_of_a_compiled_function() -> None:
    @qp.qnode(SkerryDevice(wires=2, seed=1), interface="jax", shots=200, postselect_mode="pad-invalid-samples")  # type: ignore[untyped-decorator]
    def made(angle: Any) -> Any:
        qp.RY(angle, 0)
        qp.CNOT([0, 1])
        qp.measure(0, postselect=1)
        return qp.sample(wires=[1]), qp.expval(qp.Z(1))

    samples, mean = made(jnp.array(1.0))
    assert len(samples) == 200 and mean == -1
    kept = np.asarray(samples).ravel()
    assert set(kept.tolist()) == {1, np.iinfo(np.int32).min}
    assert np.mean(kept == 1) == pytest.approx(np.sin(0.5) ** 2, abs=5 * 0.43 / np.sqrt(200))


def test_a_jacobian_of_several_means() -> None:
    def both(device: Any) -> Any:
        @qp.qnode(device, interface="jax")  # type: ignore[untyped-decorator]
        def made(x: Any) -> Any:
            qp.RX(x[0], 0)
            qp.CNOT([0, 1])
            qp.RY(x[1], 1)
            return qp.expval(qp.Z(0)), qp.expval(qp.X(1))

        return made

    x = jnp.array([0.4, 0.9])
    ours = jax.jacobian(both(SkerryDevice(wires=2)))(x)
    theirs = jax.jacobian(both(qp.device("default.qubit", wires=2)))(x)
    assert np.allclose(ours, theirs, atol=1e-12)
