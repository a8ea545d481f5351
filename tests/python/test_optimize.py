"""The learned optimiser: never worse than high, proven, and by a policy that looks at the circuit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry.circuits import QuantumCircuitOptimizer, verify_equal
from skerry.optimize import ORDERS, AICircuitOptimizer, circuit_features

CIRCUITS = Path(__file__).resolve().parents[1] / "data/circuits"


def circuit_of(name: str) -> skerry.Circuit:
    loaded = skerry.load(CIRCUITS / f"{name}.qasm")
    assert isinstance(loaded, skerry.Circuit)
    return loaded


@pytest.mark.parametrize("name", ["tof_chain_5", "cdkm_adder_10", "qpeexact_7", "bell_2", "redundant_7"])
def test_the_result_is_never_worse_than_high_and_means_the_same(name: str) -> None:
    circuit = circuit_of(name)
    made = AICircuitOptimizer().optimize_circuit(circuit)
    device = {"qubits": circuit.num_qubits}
    high = QuantumCircuitOptimizer(device).optimize_circuit(circuit, 3).circuit
    counts = QuantumCircuitOptimizer(device).estimate_resources(high)["counts"]
    assert made.two_qubit_gates <= counts.get("cx", 0) == made.two_qubit_gates_high
    assert verify_equal(circuit, made.optimized_circuit, made.initial, made.final)[0] == "equal"
    assert len(made.tried) == 4 and made.tried[made.order] == made.two_qubit_gates


def test_on_a_device_the_result_is_legal() -> None:
    line = {"qubits": 7, "coupling": [[i, i + 1] for i in range(6)], "basis": ["rz", "sx", "x", "cz"]}
    made = AICircuitOptimizer(line, tries=2).optimize_circuit(circuit_of("qpeexact_7"))
    QuantumCircuitOptimizer(line).check_map(made.optimized_circuit)
    assert made.proof.startswith("equal")


def test_the_policy_is_no_constant() -> None:
    optimizer = AICircuitOptimizer()
    orders = {tuple(optimizer.choose_orders(circuit_of(name))) for name in ("qft_8", "tof_chain_5", "vqe_su2_8")}
    assert len(orders) > 1


def test_a_program_without_a_unitary_comes_back_as_high_makes_it() -> None:
    circuit = circuit_of("teleport_3")
    made = AICircuitOptimizer().optimize_circuit(circuit)
    assert made.order == ("high",) and made.proof.startswith("unknown")


def test_features_are_of_order_one_whatever_the_circuit() -> None:
    for path in sorted(CIRCUITS.glob("*.qasm")):
        loaded = skerry.load(path)
        assert isinstance(loaded, skerry.Circuit)
        features = circuit_features(loaded)
        assert features.shape == (12,) and np.all((features >= 0) & (features < 4))
    assert np.isfinite(circuit_features(skerry.Circuit())).all()


def test_a_number_of_tries_beyond_the_orders_is_refused() -> None:
    with pytest.raises(ValueError, match="tries"):
        AICircuitOptimizer(tries=len(ORDERS) + 1)
