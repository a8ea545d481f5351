"""Pickles: what comes back is what went in, and bytes that were tampered with are refused."""

import copy
import pickle
import random
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.cv import GaussianState
from skerry.edge import EdgeExecutionConfig


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_state_keeps_its_amplitudes(precision: Any) -> None:
    state = skerry.Simulator(precision=precision).run(skerry.Circuit(3).h(0).cx(0, 1).rx(0.3, 2))
    for other in (again(state), copy.copy(state), copy.deepcopy(state)):
        assert other.precision == precision
        np.testing.assert_array_equal(np.asarray(other), np.asarray(state))
        assert other.sample(100, seed=3) == state.sample(100, seed=3)


def test_a_result_keeps_its_answers_and_its_price() -> None:
    circuit = skerry.Circuit(3, 3).h(0).cx(0, 1).measure_all()
    z = skerry.Observable.parse("Z0 Z1", 3)
    asked: dict[str, Any] = {"shots": 100, "seed": 5, "memory": True, "observables": [z], "probabilities": [1, 0]}
    result = skerry.run(circuit, **asked)
    other = again(result)
    assert other.counts == result.counts
    assert other.memory == result.memory
    np.testing.assert_array_equal(other.samples, result.samples)
    assert other.expectations == result.expectations
    np.testing.assert_array_equal(other.probabilities, result.probabilities)
    for price in ("method", "seconds", "predicted_seconds", "peak_bytes", "predicted_bytes", "threads"):
        assert getattr(other, price) == getattr(result, price)
    assert other.state is None
    assert other.density is None


def test_a_result_keeps_states_densities_and_amplitudes() -> None:
    bell = skerry.Circuit(2).h(0).cx(0, 1)
    result = skerry.run(bell, state=True, amplitudes=["00", "11"])
    np.testing.assert_array_equal(np.asarray(again(result).state), np.asarray(result.state))
    np.testing.assert_array_equal(again(result).amplitudes, result.amplitudes)
    mixed = skerry.run(bell, method="density", density=[0])
    np.testing.assert_array_equal(again(mixed).density, mixed.density)


def test_a_result_of_a_model_keeps_its_outputs() -> None:
    builder = skerry.GraphBuilder()
    x = builder.input("x", ["N", 2])
    builder.output(builder.add("Tanh", [x], name="y"))
    builder.output(builder.add("Greater", [x, x], name="b"))
    result = skerry.run(builder.build(), inputs={"x": np.array([[0, 1], [2, 3]], np.float32)})
    outputs = again(result).outputs
    assert list(outputs) == list(result.outputs)
    for name, value in result.outputs.items():
        assert outputs[name].dtype == value.dtype
        np.testing.assert_array_equal(outputs[name], value)


def test_a_plan_keeps_its_reasons() -> None:
    plan = skerry.plan(skerry.Circuit(20).h(0).cx(0, 1), state=True, max_memory_mb=1)
    other = again(plan)
    assert str(other) == str(plan)
    assert other.refusal == plan.refusal != ""
    assert [(one.name, one.chosen, one.reason, one.error_bound) for one in other.candidates] == [
        (one.name, one.chosen, one.reason, one.error_bound) for one in plan.candidates
    ]


def test_a_plan_of_a_model_keeps_its_steps() -> None:
    builder = skerry.GraphBuilder()
    builder.output(builder.add("Tanh", [builder.input("x", [4])], name="y"))
    session = builder.build().session()
    plan = session.plan({"x": np.zeros(4, np.float32)})
    other = again(plan)
    assert [(one.node, one.kernel, one.seconds) for one in other.steps] == [
        (one.node, one.kernel, one.seconds) for one in plan.steps
    ]
    assert other.memory.outputs == plan.memory.outputs


def test_a_parameter_keeps_its_arithmetic() -> None:
    a, b = skerry.Parameter("a"), skerry.Parameter("b")
    angle = ((2 * a + 0.1) / b - a**2).sin() * -b.exp() + (a.sqrt() + b.log()).atan()
    assert repr(again(angle)) == repr(angle)
    state = np.asarray(skerry.run(skerry.Circuit(1).rx(again(angle), 0), params=[0.4, 0.7], state=True).state)
    first = np.asarray(skerry.run(skerry.Circuit(1).rx(angle, 0), params=[0.4, 0.7], state=True).state)
    np.testing.assert_array_equal(state, first)


def test_what_an_angle_uses_twice_is_kept_once() -> None:
    angle = skerry.Parameter("a")
    for _ in range(40):  # written out, 2^40 terms
        angle = angle + angle
    assert len(pickle.dumps(angle)) < 10_000


@pytest.mark.parametrize(
    "channel",
    [
        skerry.Channel.depolarizing(0.1, 2),
        skerry.Channel.thermal_relaxation(50.0, 70.0, 0.1),
        skerry.Channel.amplitude_damping(0.1).then(skerry.Channel.bit_flip(0.25)),
    ],
)
def test_a_channel_keeps_its_operators(channel: skerry.Channel) -> None:
    other = again(channel)
    assert other == channel
    for mine, theirs in zip(other.operators, channel.operators, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-15)


def examples() -> list[Any]:
    bell = skerry.Circuit(2).h(0).cx(0, 1)
    return [
        skerry.run(bell, state=True).state,
        skerry.run(bell.copy().measure_all(), shots=50, memory=True, seed=1),
        skerry.plan(bell, shots=1),
    ]


def empty(thing: Any) -> Any:
    """What pickle makes before it gives the state."""
    made: Any = type(thing)
    return made.__new__(made)


@pytest.mark.parametrize("thing", examples(), ids=lambda thing: type(thing).__name__)
def test_damaged_bytes_are_refused_or_mean_another_value(thing: Any) -> None:
    state = thing.__getstate__()
    assert isinstance(state, bytes)
    for size in range(len(state)):
        with pytest.raises(skerry.Error):
            empty(thing).__setstate__(state[:size])
    with pytest.raises(skerry.Corrupt, match="longer"):
        empty(thing).__setstate__(state + b"\0")
    rng = random.Random(7)
    for _ in range(2000):
        damaged = bytearray(state)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        fresh = empty(thing)
        try:
            fresh.__setstate__(bytes(damaged))
        except (skerry.Error, UnicodeDecodeError):
            continue
        for name in dir(fresh):  # nothing that can be asked of it reads outside of it
            if not name.startswith("_"):
                try:
                    getattr(fresh, name)
                except (skerry.Error, UnicodeDecodeError, ValueError):
                    continue


@pytest.mark.parametrize(
    "records",
    [
        [],
        [("sin", 0.0, "", [0])],
        [("constant", 1.0, "", []), ("add", 0.0, "", [0])],
        [("constant", 1.0, "", []), ("popcount", 0.0, "", [0])],
        [("constant", 1.0, "", []), ("add", 0.0, "", [0, 4])],
        [("parameter", 0.0, "", [])],
    ],
)
def test_angles_that_nobody_wrote_are_refused(records: Any) -> None:
    with pytest.raises(skerry.Error):
        empty(skerry.Parameter("a")).__setstate__(records)


def test_what_is_made_ready_is_made_ready_again() -> None:
    builder = skerry.GraphBuilder()
    builder.output(builder.add("Tanh", [builder.input("x", ["N"])], name="y"))
    session = builder.build().session(threads=1, max_memory_mb=1)
    x = np.linspace(0, 1, 7, dtype=np.float32)
    session.run({"x": x})
    other = again(session)
    np.testing.assert_array_equal(other.run({"x": x})["y"], session.run({"x": x})["y"])
    with pytest.raises(skerry.BudgetExceeded):
        other.run({"x": np.zeros(10**6, np.float32)})

    simulator = skerry.Simulator(precision="single", threads=1)
    circuit, z = skerry.Circuit(1).rx(skerry.Parameter("a"), 0), skerry.Observable.parse("Z0", 1)
    value = simulator.value_and_grad(circuit, z, [0.3])
    loaded = again(simulator)
    assert loaded.precision == "single"
    assert loaded.threads == 1
    np.testing.assert_array_equal(loaded.value_and_grad(circuit, z, [0.3]).grad, value.grad)


def test_a_gaussian_state_keeps_its_moments() -> None:
    circuit = skerry.PhotonicCircuit(2).append("two_mode_squeezing", [0.5, 0.2], [0, 1])
    state = GaussianState(2).run(circuit)
    other = again(state)
    np.testing.assert_array_equal(other.mean, state.mean)
    np.testing.assert_array_equal(other.covariance, state.covariance)


def test_compiled_programs_and_settings_of_the_edge_pickle() -> None:
    compiled = skerry.compile(skerry.Circuit(1).h(0).h(0), "high")
    other = again(compiled)
    assert other.program == compiled.program
    assert [(one.name, one.before, one.after) for one in other.passes] == [
        (one.name, one.before, one.after) for one in compiled.passes
    ]
    config = EdgeExecutionConfig(max_memory_mb=7.5, cloud_endpoint="https://there:1", cloud_api_key="k")
    assert again(config) == config
    assert again(config).cloud_api_key == "k"
