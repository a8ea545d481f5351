"""Quantum generators with NumPy, PyTorch, JAX and TensorFlow: their arrays in and out, their gradients, a GAN."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import cv

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
STRATEGIES = ("sequential", "cpu_batch", "threading", "auto")
BATCH, EPOCHS, STEPS = 32, 20, 6
MEAN, SPREAD = np.array([0.6, -0.4]), np.array([0.3, 0.2])


def threaded() -> Any:
    return cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, precision="double", max_threads=2)


def latents(batch: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.4, size=(batch, 4))


def test_gradients_flow_through_torch() -> None:
    torch = pytest.importorskip("torch")
    generator = threaded()
    for strategy in STRATEGIES:
        z = torch.tensor(latents(9, 10), requires_grad=True)
        weights = torch.tensor(generator.parameters, requires_grad=True)
        samples = generator.generate_threaded(z, strategy=strategy, parameters=weights)
        assert isinstance(samples, torch.Tensor)
        assert np.array_equal(samples.detach().numpy(), generator.generate(latents(9, 10)))
        (samples**2).sum().backward()
        by_parameters, by_z = generator.vjp(z.detach().numpy(), 2 * samples.detach().numpy())
        assert np.array_equal(weights.grad.numpy(), by_parameters)
        assert np.array_equal(z.grad.numpy(), by_z)


def test_gradients_flow_through_jax() -> None:
    jax = pytest.importorskip("jax")
    generator = threaded()
    z = latents(9, 11).astype(np.float32)

    for strategy in STRATEGIES:

        def loss(latents: Any, weights: Any, strategy: str = strategy) -> Any:
            samples = generator.generate_threaded(latents, strategy=strategy, parameters=weights)
            assert isinstance(samples, jax.Array)
            return (samples**2).sum()

        arguments = jax.numpy.asarray(z), jax.numpy.asarray(generator.parameters, dtype="float32")
        by_z, by_parameters = jax.jit(jax.grad(loss, argnums=(0, 1)))(*arguments)
        samples = generator.run(z.astype(np.float64))
        expected_parameters, expected_z = generator.vjp(z, 2 * samples)
        assert np.allclose(by_z, expected_z, atol=1e-5)
        assert np.allclose(by_parameters, expected_parameters, atol=1e-4)


def test_gradients_flow_through_tensorflow() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    generator = threaded()
    for strategy in STRATEGIES:
        z, weights = tensorflow.Variable(latents(9, 12)), tensorflow.Variable(generator.parameters)
        with tensorflow.GradientTape() as tape:
            samples = generator.generate_threaded(z, strategy=strategy, parameters=weights)
            loss = tensorflow.reduce_sum(samples**2)
        assert isinstance(samples, tensorflow.Tensor)
        assert np.array_equal(samples.numpy(), generator.generate(latents(9, 12)))
        by_z, by_parameters = tape.gradient(loss, [z, weights])
        expected_parameters, expected_z = generator.vjp(z.numpy(), 2 * samples.numpy())
        assert np.array_equal(by_parameters.numpy(), expected_parameters)
        assert np.array_equal(by_z.numpy(), expected_z)


def test_a_traced_function_of_tensorflow_generates_and_asks_for_a_known_batch() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    generator = threaded()
    traced = tensorflow.function(generator.generate_threaded)
    assert np.array_equal(traced(tensorflow.constant(latents(5, 13))).numpy(), generator.generate(latents(5, 13)))
    signature = [tensorflow.TensorSpec([None, 4], tensorflow.float64)]
    unknown = tensorflow.function(generator.generate_threaded, input_signature=signature, autograph=False)
    with pytest.raises(skerry.InvalidArgument, match="unknown size"):
        unknown(tensorflow.constant(latents(5, 13)))


# One step of training each: the discriminator learns to tell points of the target from samples, then the generator
# learns to be taken for the target.


def numpy_step() -> tuple[Any, Callable[[np.ndarray, np.ndarray], float]]:
    generator = threaded()
    discriminator = cv.QuantumDiscriminator(2, hidden=(16,), seed=1)

    def step(z: np.ndarray, real: np.ndarray) -> float:
        samples = generator.generate_threaded(z)
        for points, target in ((real, 1.0), (samples, 0.0)):
            slope = (discriminator.discriminate(points) - target) / len(points)
            gradients, _ = discriminator.vjp(points, slope)
            for variable, gradient in zip(discriminator.trainable_variables, gradients, strict=True):
                variable -= 0.2 * gradient
        probabilities = discriminator.discriminate(samples)
        _, by_samples = discriminator.vjp(samples, (probabilities - 1) / len(z))
        by_parameters, _ = generator.vjp(z, by_samples)
        generator.parameters -= 0.02 * by_parameters
        return float(-np.log(probabilities).mean())

    return generator, step


def torch_step() -> tuple[Any, Callable[[np.ndarray, np.ndarray], float]]:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    generator = threaded()
    weights = torch.nn.Parameter(torch.tensor(generator.parameters))
    discriminator = torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.LeakyReLU(0.2), torch.nn.Linear(16, 1)
    ).double()
    ours = torch.optim.SGD([weights], 0.02)
    theirs = torch.optim.SGD(discriminator.parameters(), 0.2)
    softplus = torch.nn.functional.softplus

    def step(z: np.ndarray, real: np.ndarray) -> float:
        samples = generator.generate_threaded(torch.tensor(z), parameters=weights)
        loss = softplus(-discriminator(torch.tensor(real))).mean() + softplus(discriminator(samples.detach())).mean()
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        loss = softplus(-discriminator(samples)).mean()
        ours.zero_grad()
        loss.backward()
        ours.step()
        generator.parameters = weights.detach().numpy().copy()
        return float(loss.detach())

    return generator, step


def jax_step() -> tuple[Any, Callable[[np.ndarray, np.ndarray], float]]:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    generator = threaded()
    rng = np.random.default_rng(1)
    state = {
        "ours": jnp.asarray(generator.parameters),
        "theirs": [jnp.asarray(rng.normal(size=shape)) * 0.5 for shape in ((2, 16), (16,), (16, 1))],
    }

    def score(layers: Any, x: Any) -> Any:
        return jax.nn.leaky_relu(x @ layers[0] + layers[1], 0.2) @ layers[2]

    def tell(layers: Any, real: Any, fake: Any) -> Any:
        return jax.nn.softplus(-score(layers, real)).mean() + jax.nn.softplus(score(layers, fake)).mean()

    def deceive(weights: Any, layers: Any, z: Any) -> Any:
        return jax.nn.softplus(-score(layers, generator.generate_threaded(z, parameters=weights))).mean()

    @jax.jit  # type: ignore[untyped-decorator]
    def both(ours: Any, theirs: Any, z: Any, real: Any) -> Any:
        by_layers = jax.grad(tell)(theirs, real, generator.generate_threaded(z, parameters=ours))
        theirs = [layer - 0.2 * slope for layer, slope in zip(theirs, by_layers, strict=True)]
        loss, by_weights = jax.value_and_grad(deceive)(ours, theirs, z)
        return ours - 0.02 * by_weights, theirs, loss

    def step(z: np.ndarray, real: np.ndarray) -> float:
        state["ours"], state["theirs"], loss = both(state["ours"], state["theirs"], jnp.asarray(z), jnp.asarray(real))
        generator.parameters = np.array(state["ours"], dtype=np.float64)
        return float(loss)

    return generator, step


def tensorflow_step() -> tuple[Any, Callable[[np.ndarray, np.ndarray], float]]:
    tf = pytest.importorskip("tensorflow")
    generator = threaded()
    rng = np.random.default_rng(1)
    weights = tf.Variable(generator.parameters)
    layers = [tf.Variable(0.5 * rng.normal(size=shape)) for shape in ((2, 16), (16,), (16, 1))]

    def score(x: Any) -> Any:
        return tf.nn.leaky_relu(x @ layers[0] + layers[1], 0.2) @ layers[2]

    def step(z: np.ndarray, real: np.ndarray) -> float:
        with tf.GradientTape(persistent=True) as tape:
            samples = generator.generate_threaded(tf.constant(z), parameters=weights)
            known = tf.stop_gradient(samples)
            tell = tf.reduce_mean(tf.nn.softplus(-score(tf.constant(real)))) + tf.reduce_mean(
                tf.nn.softplus(score(known))
            )
        for layer, slope in zip(layers, tape.gradient(tell, layers), strict=True):
            layer.assign_sub(0.2 * slope)
        with tf.GradientTape() as tape:
            samples = generator.generate_threaded(tf.constant(z), parameters=weights)
            loss = tf.reduce_mean(tf.nn.softplus(-score(samples)))
        weights.assign_sub(0.02 * tape.gradient(loss, weights))
        generator.parameters = weights.numpy()
        return float(loss)

    return generator, step


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(2)
    while True:
        yield rng.normal(scale=0.3, size=(BATCH, 4)), MEAN + SPREAD * rng.normal(size=(BATCH, 2))


def distance(generator: Any) -> float:
    """Sliced Wasserstein distance of samples to points of the target."""
    rng = np.random.default_rng(3)
    samples = generator.generate(rng.normal(scale=0.3, size=(400, 4)))
    real = MEAN + SPREAD * rng.normal(size=(400, 2))
    angles = np.linspace(0, np.pi, 12, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    return float(np.abs(np.sort(samples @ directions, axis=0) - np.sort(real @ directions, axis=0)).mean())


@pytest.mark.parametrize("begin", [numpy_step, torch_step, jax_step, tensorflow_step], ids=lambda f: f.__name__)
def test_twenty_epochs_of_a_gan_bring_it_near_to_a_normal_distribution(begin: Callable[[], Any]) -> None:
    generator, step = begin()
    before = distance(generator)
    given = batches()
    losses = [step(*next(given)) for _ in range(EPOCHS * STEPS)]
    assert np.isfinite(losses).all()
    assert distance(generator) < before / 3
