"""Contraction behind skerry.run() and skerry.tensornet, and channels as instructions: values, refusals, choices."""

import random
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.tensornet import TensorNetworkConfig, TensorNetworkSimulator

Gates = list[tuple[str, list[int], list[float]]]


def grid(width: int, height: int, cycles: int, seed: int = 1) -> tuple[skerry.Circuit, Gates]:
    draw = random.Random(seed)
    gates: Gates = []
    for cycle in range(cycles):
        for qubit in range(width * height):
            gates.append(("u3", [qubit], [draw.uniform(-3, 3) for _ in range(3)]))
        first = cycle // 2 % 2
        for qubit in range(width * height):
            x, y = qubit % width, qubit // width
            if cycle % 2 == 0 and x % 2 == first and x + 1 < width:
                gates.append(("cz", [qubit, qubit + 1], []))
            if cycle % 2 == 1 and y % 2 == first and y + 1 < height:
                gates.append(("cz", [qubit, qubit + width], []))
    circuit = skerry.Circuit(width * height)
    for name, qubits, angles in gates:
        circuit.append(name, qubits, angles)
    return circuit, gates


def state_of(gates: Gates, qubits: int) -> np.ndarray:
    """By the definition, an axis a qubit, qubit 0 last."""
    state = np.zeros([2] * qubits, dtype=complex)
    state[(0,) * qubits] = 1
    for name, on, angles in gates:
        axes = [qubits - 1 - qubit for qubit in on]
        if name == "cz":
            index: list[slice | int] = [slice(None)] * qubits
            index[axes[0]] = index[axes[1]] = 1
            state[tuple(index)] *= -1
            continue
        theta, phi, lam = angles
        u = np.array(
            [
                [np.cos(theta / 2), -np.exp(1j * lam) * np.sin(theta / 2)],
                [np.exp(1j * phi) * np.sin(theta / 2), np.exp(1j * (phi + lam)) * np.cos(theta / 2)],
            ]
        )
        state = np.moveaxis(np.tensordot(u, state, axes=(1, axes[0])), 0, axes[0])
    return state


def test_amplitudes_of_a_grid_are_those_of_plain_linear_algebra() -> None:
    circuit, gates = grid(3, 4, 6)
    state = state_of(gates, 12)
    texts = ["0" * 12, "010011010110", "1" * 12]
    expected = [state[tuple(int(letter) for letter in text)] for text in texts]
    for method in ("tensor_network", "statevector", "mps"):
        result = skerry.run(circuit, amplitudes=texts, method=method)
        np.testing.assert_allclose(result.amplitudes, expected, atol=1e-10)


def test_what_no_other_method_can_do_is_contracted_within_the_memory_that_was_predicted() -> None:
    circuit, _ = grid(6, 10, 6)
    plan = skerry.plan(circuit, amplitudes=["01" * 30], max_memory_mb=64.0)
    assert plan.method == "tensor_network"
    assert {c.name for c in plan.candidates if c.reason} >= {"statevector", "stabilizer", "density"}
    result = skerry.run(circuit, amplitudes=["01" * 30], max_memory_mb=64.0)
    assert result.peak_bytes == result.predicted_bytes <= 64e6
    smaller = skerry.run(circuit, amplitudes=["01" * 30], max_memory_mb=0.5, method="tensor_network")
    assert smaller.peak_bytes <= 0.5e6
    assert abs(smaller.amplitudes[0] - result.amplitudes[0]) < 1e-10 * abs(result.amplitudes[0])


def test_fifty_qubits_in_eight_layers_agree_with_a_chain_within_256_mb() -> None:
    draw = random.Random(5)
    circuit = skerry.Circuit(50)
    for layer in range(8):
        for qubit in range(50):
            circuit.u(draw.uniform(-3, 3), draw.uniform(-3, 3), draw.uniform(-3, 3), qubit)
        for qubit in range(layer % 2, 49, 2):
            circuit.cx(qubit, qubit + 1)
    texts = ["0" * 50, "01" * 25, "1" * 50]
    found = skerry.run(circuit, amplitudes=texts, method="tensor_network", max_memory_mb=256)
    chain = skerry.run(circuit, amplitudes=texts, method="mps")
    assert chain.error_bound < 1e-10
    np.testing.assert_allclose(found.amplitudes, chain.amplitudes, rtol=1e-5)
    assert found.peak_bytes < 256e6


def test_samples_are_refused_with_what_to_ask_instead() -> None:
    circuit, _ = grid(2, 2, 2)
    with pytest.raises(skerry.Unsupported, match="draws no samples"):
        skerry.run(circuit, shots=10, method="tensor_network")
    with pytest.raises(skerry.Unsupported, match="gives no single amplitudes"):
        skerry.run(circuit, amplitudes=["0000"], method="stabilizer")
    with pytest.raises(skerry.InvalidArgument, match="a letter 0 or 1 for each wire"):
        skerry.run(circuit, amplitudes=["00"])


def test_the_simulator_takes_what_is_faster_and_chains_for_samples() -> None:
    circuit, gates = grid(3, 3, 4)
    state = state_of(gates, 9)
    z = np.array([1, -1])
    expected = np.einsum("abcdefghi,i,a->", abs(state) ** 2, z, z)
    for method in ("auto", "mps", "tensor_network"):
        simulator = TensorNetworkSimulator(TensorNetworkConfig(method=method))
        assert simulator.expectation(circuit, skerry.Observable.parse("Z0 Z8", 9)) == pytest.approx(expected, abs=1e-10)
    simulator = TensorNetworkSimulator()
    counts = simulator.counts(circuit, shots=200, seed=3)
    assert sum(counts.values()) == 200
    assert counts == skerry.run(circuit, shots=200, seed=3, method="mps").counts
    assert simulator.plan(circuit, shots=10).method == "mps"


def test_a_channel_in_the_circuit_is_honoured_or_refused() -> None:
    damped = skerry.Circuit(2).x(0).channel(skerry.Channel.amplitude_damping(0.25), [0]).cx(0, 1)
    expected = np.array([0.25, 0, 0, 0.75])
    result = skerry.run(damped, probabilities=True)
    assert result.method == "density"
    assert result.probabilities == pytest.approx(expected, abs=1e-12)
    counts = skerry.run(damped, shots=4000, seed=1, method="trajectories").counts
    assert abs(counts["11"] - 3000) < 5 * 750**0.5
    for method in ("statevector", "mps", "stabilizer", "tensor_network"):
        with pytest.raises(skerry.Unsupported, match="simulates no noise"):
            skerry.run(damped, amplitudes=["00"], method=method)
    operators = [1, 0, 0, 0, 0, 0, 0.75**0.5, 0, 0, 0, 0.5, 0, 0, 0, 0, 0]
    channels: list[dict[str, Any]] = [
        {"type": "channel", "gate": "amplitude_damping", "qubit": 0, "params": [0.25]},
        {"type": "channel", "qubit": 0, "kraus": operators},
    ]
    for channel in channels:
        listed: list[dict[str, Any]] = [{"gate": "X", "qubit": 0}, channel, {"gate": "CX", "qubits": [0, 1]}]
        again = skerry.run(listed, probabilities=True)
        assert again.probabilities == pytest.approx(expected, abs=1e-12)
