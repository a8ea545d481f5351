"""The learned optimiser: never worse than high, proven, and by a policy that looks at the circuit."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry._core import CircuitParts
from skerry.circuits import QuantumCircuitOptimizer, verify_equal
from skerry.edge import CircuitCompiler
from skerry.optimize import ORDERS, AICircuitOptimizer, circuit_features

from tests.e2e import edge_programs

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
    kept_gates = made.order == ("fold",)  # its own gates, as writing them as u and cx would have taken more
    assert len(made.tried) == 4 + kept_gates and made.tried[made.order] == made.two_qubit_gates
    assert kept_gates == (name == "qpeexact_7")


def random_circuit(draw: random.Random) -> skerry.Circuit:
    circuit = skerry.Circuit(5)
    for _ in range(40):
        kind, (a, b) = draw.randrange(6), draw.sample(range(5), 2)
        if kind < 3:
            (circuit.h, circuit.t, circuit.s)[kind](a)
        elif kind == 3:
            circuit.rz(draw.uniform(0, 6), a)
        else:
            circuit.cx(a, b)
    return circuit


def gates_of(circuit: skerry.Circuit) -> int:
    return sum(count for name, count in circuit.gate_counts.items() if name != "gphase")


def relabelled(states: np.ndarray, places: list[int]) -> np.ndarray:
    """Bit i of an index goes to bit places[i]."""
    index = np.arange(len(states))
    to = sum((index >> i & 1) << place for i, place in enumerate(places))
    out = np.empty_like(states)
    out[to] = states
    return out


def unitary_of(circuit: skerry.Circuit) -> np.ndarray:
    """From the definitions of the gates alone."""
    out = np.eye(2**circuit.num_qubits, dtype=complex)
    for name, controls, on, params, _ in CircuitParts(circuit).blocks()[0]:
        row = {"gate": name, "controls": on[:controls], "qubits": on[controls:], "params": params}
        out = edge_programs.dense_gate(row, circuit.num_qubits) @ out
    return out


def test_a_hundred_random_circuits_keep_their_unitary_gain_no_gate_and_mostly_beat_medium() -> None:
    draw, compiler, beaten = random.Random(5), CircuitCompiler(), 0
    for _ in range(100):
        circuit = random_circuit(draw)
        made = AICircuitOptimizer().optimize_circuit(circuit)
        assert gates_of(made.optimized_circuit) == made.gates <= gates_of(circuit)
        medium = compiler.compile_circuit(circuit, "medium").compiled_gates
        beaten += made.gates < sum(row["gate"] != "gphase" for row in medium)
        before, after = unitary_of(circuit), unitary_of(made.optimized_circuit)
        # Qubit i begins at initial[i] and ends at final[i].
        back = np.array([relabelled(row, made.final) for row in before.T])
        back = relabelled(back, made.initial).T
        overlap = abs(np.trace(back.conj().T @ after)) / len(after)
        assert overlap == pytest.approx(1, abs=1e-9), made.order
    assert beaten >= 30, f"{beaten} of 100 have fewer gates than medium gives them"


def test_where_writing_it_anew_would_add_gates_it_is_made_smaller_as_it_is_written() -> None:
    circuit = skerry.Circuit(4)
    for a, b in itertools.combinations(range(4), 2):
        circuit.swap(a, b).rzz(0.3 + a, a, b).ryy(0.1 * b + 0.2, a, b)
    made = AICircuitOptimizer().optimize_circuit(circuit)
    assert made.gates <= gates_of(circuit)
    assert made.proof.startswith("equal")


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
