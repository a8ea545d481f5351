"""Stabilizer circuits against Stim: every gate of the format, exact records, statistics of noise and detectors."""

from __future__ import annotations

import random

import numpy as np
import pytest
import skerry
import stim
from skerry import stabilizer

UNITARY = sorted(name for name, gate in stim.gate_data().items() if gate.is_unitary and not name.startswith("SPP"))


def random_gates(draw: random.Random, qubits: int, count: int) -> list[str]:
    lines = []
    for _ in range(count):
        name = draw.choice(UNITARY)
        pair = stim.gate_data(name).is_two_qubit_gate
        lines.append(f"{name} " + " ".join(str(q) for q in draw.sample(range(qubits), 2 if pair else 1)))
    return lines


@pytest.mark.parametrize("name", UNITARY)
def test_every_gate_and_its_inverse_agree_with_stim(name: str) -> None:
    # The gate, between random Clifford circuits, then stim's inverse of all that: every outcome is sure.
    draw = random.Random(name)
    lines = random_gates(draw, 3, 15)
    lines += [f"{name} 0 1"] if stim.gate_data(name).is_two_qubit_gate else [f"{name} 1"]
    circuit = stim.Circuit("\n".join(lines))
    signs = draw.choices((False, True), k=3)
    text = "\n".join([*lines, str(circuit.inverse()), *(f"X {q}" for q in range(3) if signs[q]), "M 0 1 2"])
    rows = stabilizer.Sampler(stabilizer.loads(text), of="measurements").sample(70).bits
    assert (rows == np.array(signs)).all()


def test_programs_of_the_stim_format_have_the_expectations_of_stim() -> None:
    draw = random.Random(5)
    for _ in range(10):
        lines = random_gates(draw, 5, 40)
        simulator = stim.TableauSimulator()
        simulator.do(stim.Circuit("\n".join(lines)))
        paulis = ["".join(draw.choices("IXYZ", k=5)) for _ in range(30)]
        observables = [skerry.Observable.from_sparse_list([(p, list(range(5)), 1.0)], num_qubits=5) for p in paulis]
        program = skerry.loads("QUBIT_COORDS(0) 0 1 2 3 4\n" + "\n".join(lines))
        found = skerry.run(program, observables=observables, method="stabilizer").expectations
        assert found == [simulator.peek_observable_expectation(stim.PauliString(p)) for p in paulis]


def noisy_circuit(draw: random.Random, qubits: int) -> str:
    lines = [f"RX {draw.randrange(qubits)}", f"RY {draw.randrange(qubits)}"]
    records = 0
    for _ in range(40):
        kind = draw.randrange(9)
        a, b = draw.sample(range(qubits), 2)
        if kind < 3:
            lines += random_gates(draw, qubits, 1)
        elif kind == 3:
            lines.append(f"PAULI_CHANNEL_1({draw.random() / 4}, {draw.random() / 4}, {draw.random() / 4}) {a}")
        elif kind == 4:
            lines.append(f"DEPOLARIZE2({draw.random() / 2}) {a} {b}")
        elif kind == 5:
            lines.append(draw.choice(("M(0.1)", "MX", "MR", "MRY(0.2)", "MY")) + f" {a} !{b}")
            records += 2
        elif kind == 6:
            lines.append(draw.choice((f"MPP X{a}*!Y{b}", f"MXX {a} {b}", f"MZZ(0.1) {a} !{b}")))
            records += 1
        elif kind == 7:
            weights = ", ".join(str(draw.random() / 20) for _ in range(15))
            lines.append(f"PAULI_CHANNEL_2({weights}) {a} {b}")
        elif records:
            lines.append(f"{draw.choice(('CX', 'CY', 'CZ'))} rec[-{draw.randint(1, records)}] {a}")
    lines.append("M " + " ".join(str(q) for q in range(qubits)))
    return "\n".join(lines)


def frequencies(rows: np.ndarray) -> dict[int, float]:
    last = rows[:, -6:].astype(np.int64) @ (1 << np.arange(6))
    values, times = np.unique(last, return_counts=True)
    return dict(zip(values.tolist(), (times / len(rows)).tolist(), strict=True))


def test_records_of_noisy_circuits_come_as_often_as_in_stim() -> None:
    draw, shots = random.Random(11), 60_000
    for seed in range(12):
        text = noisy_circuit(draw, 4)
        ours = stabilizer.Sampler(stabilizer.loads(text), of="measurements").sample(shots, seed=seed).bits
        theirs = stim.Circuit(text).compile_sampler(seed=seed).sample(shots)
        assert ours.shape == theirs.shape
        # Means differ by five of their standard deviations at most, joint outcomes of the last six records as well.
        assert np.abs(ours.mean(axis=0) - theirs.mean(axis=0)).max() < 5 * np.sqrt(0.5 / shots)
        a, b = frequencies(ours), frequencies(theirs)
        assert max(abs(a.get(k, 0) - b.get(k, 0)) for k in {*a, *b}) < 5 * np.sqrt(0.5 / shots)


def test_detectors_of_a_surface_code_fire_as_often_as_in_stim() -> None:
    noise = 0.004
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=5,
        rounds=5,
        after_clifford_depolarization=noise,
        before_measure_flip_probability=noise,
        after_reset_flip_probability=noise,
        before_round_data_depolarization=noise,
    )
    shots = 50_000
    sampler = stabilizer.Sampler(stabilizer.loads(str(circuit)))
    ours, logical = sampler.sample(shots, seed=3)
    theirs, expected = circuit.compile_detector_sampler(seed=4).sample(shots, separate_observables=True)
    assert ours.shape == theirs.shape and logical.shape == expected.shape
    allowed = 5.5 * np.sqrt(2 * theirs.mean(axis=0).max() / shots)
    assert np.abs(ours.mean(axis=0) - theirs.mean(axis=0)).max() < allowed
    assert abs(logical.mean() - expected.mean()) < 5 * np.sqrt(0.5 / shots)
    # Which detectors fire together: covariances of neighbours.
    pairs = [(i, i + 24) for i in range(0, 72, 5)]
    together = [np.mean(ours[:, i] & ours[:, j]) - np.mean(theirs[:, i] & theirs[:, j]) for i, j in pairs]
    assert max(abs(x) for x in together) < allowed
    packed = sampler.sample(shots, seed=3, packed=True)
    assert (np.unpackbits(packed.bits.view(np.uint8), axis=1, count=ours.shape[1], bitorder="little") == ours).all()
    counts = sampler.count(shots, seed=3)
    assert counts.bits == ours.sum(axis=0).tolist() and counts.observables == logical.sum(axis=0).tolist()


def test_wrong_circuits_are_refused_with_their_place() -> None:
    with pytest.raises(skerry.SyntaxError, match=r"mine\.stim:2:1: unknown instruction 'FOO'"):
        stabilizer.loads("H 0\nFOO 1\n", "mine.stim")
    with pytest.raises(skerry.Unsupported, match="the circuit has noise"):
        skerry.loads("X_ERROR(0.1) 0\nM 0\n")
    with pytest.raises(skerry.BudgetExceeded):
        stabilizer.Sampler(stabilizer.loads("M 0\n"), of="measurements").sample(10**9, max_memory_mb=1)


def test_auto_says_why_and_mps_tells_its_error() -> None:
    wide = skerry.Circuit(60)
    for qubit in range(59):
        wide.ry(0.3, qubit)
        wide.rxx(0.2, qubit, qubit + 1)
    observable = skerry.Observable.parse("Z30 Z31", 60)
    exact = skerry.run(wide, observables=[observable])
    assert exact.method == "mps" and exact.error_bound < 1e-6
    cut = skerry.run(wide, observables=[observable], method="mps", max_bond_dimension=1)
    assert cut.bond_dimension == 1 and cut.error_bound > 0
    assert abs(cut.expectations[0] - exact.expectations[0]) <= 2 * cut.error_bound
    reasons = {candidate.name: candidate.reason for candidate in skerry.plan(wide, observables=[observable]).candidates}
    assert "Clifford" in reasons["stabilizer"]
