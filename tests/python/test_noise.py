"""Noise from Python: models made, read, written and taken from Qiskit Aer's dictionaries."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.noise import from_aer, load_noise

DATA = Path(__file__).resolve().parent.parent / "data" / "noise"


def density(circuit: skerry.Circuit, noise: skerry.NoiseModel) -> Any:
    return skerry.run(circuit, noise=noise, density=True).density


def test_a_run_with_noise_is_the_kraus_sum() -> None:
    circuit = skerry.Circuit(1).ry(0.7, 0)
    channel = skerry.Channel.thermal_relaxation(50, 60, 10, excited=0.1)
    psi = np.array([np.cos(0.35), np.sin(0.35)])
    rho = np.outer(psi, psi)
    expected = sum(k @ rho @ k.conj().T for k in channel.operators)
    np.testing.assert_allclose(density(circuit, skerry.NoiseModel().add("ry", channel)), expected, atol=1e-13)


def test_trajectories_tell_their_standard_errors() -> None:
    circuit = skerry.Circuit(2).h(0).cx(0, 1)
    noise = skerry.NoiseModel().add("*", skerry.Channel.depolarizing(0.1, 2))
    zz = skerry.Observable.parse("Z0 Z1", 2)
    drawn = skerry.run(circuit, noise=noise, shots=4000, seed=3, observables=[zz], method="trajectories")
    exact = skerry.run(circuit, noise=noise, observables=[zz])
    assert exact.method == "density" and exact.standard_errors == []
    assert 0 < drawn.standard_errors[0] < 0.02
    assert abs(drawn.expectations[0] - exact.expectations[0]) < 5 * drawn.standard_errors[0]
    assert exact.expectations[0] == pytest.approx(0.9)


def test_noise_is_never_left_out() -> None:
    noise = skerry.NoiseModel().add("h", skerry.Channel.bit_flip(0.1))
    circuit = skerry.Circuit(1).h(0)
    with pytest.raises(skerry.Unsupported, match="simulates no noise"):
        skerry.run(circuit, noise=noise, method="statevector", shots=10)
    with pytest.raises(skerry.Unsupported, match="no state vector"):
        skerry.run(circuit, noise=noise, state=True)
    with pytest.raises(skerry.InvalidArgument, match="there is no gate 'hh'"):
        skerry.run(circuit, noise=skerry.NoiseModel().add("hh", skerry.Channel.bit_flip(0.1)), shots=10)
    with pytest.raises(skerry.InvalidArgument, match="acts on 2 wires, but h acts on 1"):
        skerry.run(circuit, noise=skerry.NoiseModel().add("h", skerry.Channel.depolarizing(0.1, 2)), shots=10)


def test_the_plan_tells_why_each_method_lost() -> None:
    noise = load_noise(DATA / "device.json")
    plan = skerry.plan(str(DATA.parent / "circuits" / "ghz_12.qasm"), noise=noise, shots=100)
    reasons = {candidate.name: candidate.reason for candidate in plan.candidates}
    assert reasons["statevector"] == "simulates no noise"
    assert {"density", "trajectories"} <= set(reasons)
    ideal = skerry.plan(skerry.Circuit(3).h(0), shots=10)
    assert ideal.method not in {"density", "trajectories"}


def test_models_are_written_read_and_pickled() -> None:
    noise = load_noise(DATA / "device.json")
    again = pickle.loads(pickle.dumps(noise))
    assert again.text == noise.text and repr(again) == "<NoiseModel: 5 rules, 2 readout errors>"
    with pytest.raises(skerry.IoError):
        load_noise(DATA / "missing.json")


X = np.array([[0, 1], [1, 0]], dtype=complex)
Z = np.diag([1, -1]).astype(complex)


def aer_error(operations: list[str], terms: list[Any], probabilities: list[float], **others: Any) -> dict[str, Any]:
    return {"type": "qerror", "operations": operations, "instructions": terms, "probabilities": probabilities, **others}


def on(qubit: int, name: str, params: Any = ()) -> dict[str, Any]:
    return {"name": name, "qubits": [qubit], "params": params}


def test_aer_dictionaries_become_the_same_channels() -> None:
    falling = [
        [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.8, 0.0]]],
        [[[0.0, 0.0], [0.6, 0.0]], [[0.0, 0.0], [0.0, 0.0]]],
    ]
    noise = from_aer(
        {
            "errors": [
                aer_error(["h"], [[on(0, "pauli", ["X"])], [on(0, "id")]], [0.2, 0.8]),
                aer_error(["cx"], [[on(1, "kraus", falling), on(0, "z")]], [1.0]),
                aer_error(["h"], [[on(0, "reset"), on(0, "x")]], [1.0], gate_qubits=[(1,)]),
                {"type": "roerror", "operations": ["measure"], "probabilities": [[0.9, 0.1], [0.3, 0.7]]},
            ]
        }
    )
    # On qubit 0 the error of all qubits; on qubit 1 its own: reset, then X.
    flipped = density(skerry.Circuit(2).ry(0.4, 0).h(0).ry(0.4, 1).h(1), noise)
    psi = np.array([[1, 1], [1, -1]]) / np.sqrt(2) @ np.array([np.cos(0.2), np.sin(0.2)])
    rho = np.outer(psi, psi)
    expected = np.kron(np.diag([0, 1]), 0.8 * rho + 0.2 * X @ rho @ X)
    np.testing.assert_allclose(flipped, expected, atol=1e-13)
    # cx has its control first: the error's qubit 0 is the control, which gets a Z, and qubit 1 falls.
    pair = density(skerry.Circuit(2).x(0).cx(0, 1), noise)
    assert pair[3, 3] == pytest.approx(0.64) and pair[1, 1] == pytest.approx(0.36)
    read = skerry.run(skerry.Circuit(1).x(0), noise=noise, probabilities=True).probabilities
    assert read is not None
    np.testing.assert_allclose(np.asarray(read), np.array([0.3, 0.7]))


def test_what_aer_says_and_cannot_be_told_is_refused() -> None:
    joint = {"type": "roerror", "operations": ["measure"], "probabilities": np.eye(4), "gate_qubits": [(0, 1)]}
    with pytest.raises(skerry.Unsupported, match="4 rows"):
        from_aer({"errors": [joint]})
    with pytest.raises(skerry.Unsupported, match="'mystery'"):
        from_aer({"errors": [aer_error(["x"], [[on(0, "mystery")]], [1.0])]})


def test_aer_itself_agrees() -> None:
    aer = pytest.importorskip("qiskit_aer")
    import qiskit
    from qiskit_aer import noise as errors

    model = errors.NoiseModel()
    model.add_all_qubit_quantum_error(errors.depolarizing_error(0.1, 1), ["h", "sx"])
    model.add_all_qubit_quantum_error(errors.depolarizing_error(0.2, 2), ["cx"])
    model.add_quantum_error(errors.thermal_relaxation_error(50, 70, 10), ["h"], [1])
    model.add_quantum_error(errors.thermal_relaxation_error(50, 30, 10, 0.2), ["h"], [2])
    pair = errors.amplitude_damping_error(0.3).tensor(errors.pauli_error([("Z", 0.3), ("I", 0.7)]))
    model.add_quantum_error(pair, ["cx"], [2, 0])
    theirs, ours = qiskit.QuantumCircuit(3), skerry.Circuit(3)
    for circuit in (theirs, ours):
        for qubit in range(3):
            circuit.h(qubit)
        circuit.cx(0, 1)
        circuit.ry(0.4, 1)
        circuit.cx(2, 0)
        circuit.sx(1)
    theirs.save_density_matrix()
    simulator = aer.AerSimulator(method="density_matrix", noise_model=model)
    expected = np.asarray(simulator.run(theirs).result().data(0)["density_matrix"])
    np.testing.assert_allclose(density(ours, from_aer(model)), expected, atol=1e-8)
