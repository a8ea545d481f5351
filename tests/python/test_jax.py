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
