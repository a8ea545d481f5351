"""Arrays of NumPy, PyTorch, JAX and TensorFlow in and out, with gradients; only the caller's framework is imported."""

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import skerry

if TYPE_CHECKING:
    from skerry.cv.generator import QuantumSFGenerator

Array = NDArray[np.float64]


class Work(NamedTuple):
    """How a batch is gone through: QuantumSFGenerator.run() says what each of these is."""

    strategy: str = "sequential"
    threads: int = 1
    at_once: int | None = None


def framework_of(value: object) -> str:
    """`torch`, `jax`, `tensorflow` or `numpy`."""
    root = type(value).__module__.partition(".")[0]
    if root in ("jaxlib", "jax"):
        return "jax"
    return root if root in ("torch", "tensorflow") else "numpy"


def samples_in(z: Any) -> int:
    """How many rows; a variable of TensorFlow has a shape but no length."""
    rows = z.shape[0] if hasattr(z, "shape") else len(z)
    if rows is None:
        raise skerry.InvalidArgument("a batch of unknown size; fix the first number of the traced function's signature")
    return int(rows)


def dense(value: object) -> Array:
    """Whatever numpy can read, as dense doubles."""
    if framework_of(value) == "torch":
        value = value.detach().cpu()  # type: ignore[attr-defined]
    return np.ascontiguousarray(value, dtype=np.float64)


def apply(generator: "QuantumSFGenerator", z: Any, parameters: Any | None, work: Work) -> Any:
    """The generator's samples for `z`, in z's framework, differentiable by z and by `parameters` if they are given."""
    kind = framework_of(z) if parameters is None else framework_of(parameters)
    if kind == "torch":
        return _torch(generator, z, parameters, work)
    if kind == "jax":
        return _jax(generator, z, parameters, work)
    if kind == "tensorflow":
        return _tensorflow(generator, z, parameters, work)
    return generator.run(dense(z), None if parameters is None else dense(parameters), *work)


def _torch(generator: "QuantumSFGenerator", z: Any, parameters: Any | None, work: Work) -> Any:
    torch = sys.modules["torch"]
    z = torch.as_tensor(z)
    weights = torch.as_tensor(generator.parameters) if parameters is None else parameters

    class Generate(torch.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(ctx: Any, latents: Any, flat: Any) -> Any:
            ctx.save_for_backward(latents, flat)
            samples = generator.run(dense(latents), dense(flat), *work)
            return torch.as_tensor(samples).to(latents)

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> tuple[Any, Any]:
            latents, flat = ctx.saved_tensors
            by_parameters, by_z = generator.vjp(dense(latents), dense(cotangent), dense(flat), *work[:2])
            return torch.as_tensor(by_z).to(latents), torch.as_tensor(by_parameters).to(flat)

    return Generate.apply(z, weights)


def _jax(generator: "QuantumSFGenerator", z: Any, parameters: Any | None, work: Work) -> Any:
    import jax
    import jax.numpy as jnp

    def shape_of(latents: Any, like: Any) -> Any:
        return jax.ShapeDtypeStruct((latents.shape[0], generator.n_modes), like.dtype)

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def generate(latents: Any, flat: Any) -> Any:
        def call(a: object, b: object) -> Any:
            return generator.run(dense(a), dense(b), *work).astype(latents.dtype)

        return jax.pure_callback(call, shape_of(latents, latents), latents, flat)

    def forward(latents: Any, flat: Any) -> tuple[Any, tuple[Any, Any]]:
        return generate(latents, flat), (latents, flat)

    def backward(kept: tuple[Any, Any], cotangent: Any) -> Any:
        latents, flat = kept

        def call(a: object, b: object, c: object) -> tuple[Any, Any]:
            by_parameters, by_z = generator.vjp(dense(a), dense(c), dense(b), *work[:2])
            return by_z.astype(latents.dtype), by_parameters.astype(flat.dtype)

        shapes = (jax.ShapeDtypeStruct(latents.shape, latents.dtype), jax.ShapeDtypeStruct(flat.shape, flat.dtype))
        return jax.pure_callback(call, shapes, latents, flat, cotangent)

    generate.defvjp(forward, backward)
    z = jnp.asarray(z)
    return generate(z, jnp.asarray(generator.parameters, z.dtype) if parameters is None else parameters)


def _tensorflow(generator: "QuantumSFGenerator", z: Any, parameters: Any | None, work: Work) -> Any:
    tensorflow = sys.modules["tensorflow"]
    z = tensorflow.convert_to_tensor(z)
    weights = tensorflow.convert_to_tensor(generator.parameters if parameters is None else parameters)

    @tensorflow.custom_gradient  # type: ignore[untyped-decorator]
    def generate(latents: Any, flat: Any) -> Any:
        def run(a: object, b: object) -> Any:
            return generator.run(dense(a), dense(b), *work).astype(latents.dtype.as_numpy_dtype)

        samples = tensorflow.numpy_function(run, [latents, flat], latents.dtype)
        samples.set_shape((latents.shape[0], generator.n_modes))

        def gradient(cotangent: Any) -> Any:
            def back(a: object, b: object, c: object) -> tuple[Any, Any]:
                by_parameters, by_z = generator.vjp(dense(a), dense(c), dense(b), *work[:2])
                return by_z.astype(latents.dtype.as_numpy_dtype), by_parameters.astype(flat.dtype.as_numpy_dtype)

            return tensorflow.numpy_function(back, [latents, flat, cotangent], [latents.dtype, flat.dtype])

        return samples, gradient

    return generate(z, weights)
