"""Inside other tools: a QNode beside Lightning's, an Estimator's job beside Aer's.

    ecosystem.py [--repeat 15]

The QNode: 12 qubits, 4 layers of rotations about two axes with a ring of CNOTs between them, the energy of an Ising
ring, value and gradient by the device's adjoint method through PennyLane. The job: 100 parameter sets of a circuit of 6
qubits and one observable of 5 terms, exact. Answers are compared before times; the two libraries take turns.
Needs the libraries of tools/requirements-bench.txt.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qp
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp
from skerry.qiskit import SkerryEstimator
from tasks.gates import ising_ring

QUBITS, LAYERS, SETS = 12, 4, 100


def qnode(device: str) -> Callable[[Any], tuple[float, Any]]:
    """Value and gradient on a device."""
    terms = ising_ring(QUBITS)
    words = [qp.prod(*(getattr(qp, letter)(wire) for wire, letter in letters.items())) for _, letters in terms]
    hamiltonian = qp.Hamiltonian([weight for weight, _ in terms], words)

    @qp.qnode(qp.device(device, wires=QUBITS), diff_method="adjoint")  # type: ignore[untyped-decorator]
    def circuit(weights: Any) -> Any:
        for layer in range(LAYERS):
            for wire in range(QUBITS):
                qp.RY(weights[layer, wire, 0], wire)
                qp.RZ(weights[layer, wire, 1], wire)
            for wire in range(QUBITS):
                qp.CNOT([wire, (wire + 1) % QUBITS])
        return qp.expval(hamiltonian)

    gradient = qp.grad(circuit)

    def both(weights: Any) -> tuple[float, Any]:
        slope = gradient(weights)
        return float(gradient.forward), np.asarray(slope)

    return both


def estimator(make: Callable[[], Any], circuit: QuantumCircuit, rows: Any) -> Callable[[], Any]:
    """A job of all sets; its values."""
    observable = SparsePauliOp.from_list(
        [("ZZIIII", 0.5), ("IXXIII", 0.3), ("IIIYYI", -0.2), ("IIIIIZ", 1), ("XIIIIX", 0.1)]
    )

    def job() -> Any:
        return make().run([(circuit, observable, rows)]).result()[0].data.evs

    return job


def turns(ours: Callable[[], Any], theirs: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Median milliseconds of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat + 2):
        for kept, run in zip(times, (ours, theirs), strict=True):
            begin = time.perf_counter()
            run()
            kept.append(time.perf_counter() - begin)
    return statistics.median(times[0][2:]) * 1e3, statistics.median(times[1][2:]) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat

    weights = qp.numpy.array(np.random.default_rng(1).uniform(0, 6, (LAYERS, QUBITS, 2)), requires_grad=True)
    ours, theirs = qnode("skerry.qubit"), qnode("lightning.qubit")
    (value, slope), (other, their_slope) = ours(weights), theirs(weights)
    assert abs(value - other) < 1e-10, (value, other)
    np.testing.assert_allclose(slope, their_slope, atol=1e-10)
    mine, others = turns(lambda: ours(weights), lambda: theirs(weights), repeat)
    print(
        f"QNode, {QUBITS} qubits, {LAYERS} layers, value and gradient: {mine:.2f} ms, Lightning {others:.2f} ms: ",
        end="",
    )
    print(f"{mine / others:.2f}")

    from qiskit_aer.primitives import EstimatorV2

    circuit = real_amplitudes(6, reps=3)
    rows = np.random.default_rng(2).uniform(0, 6, (SETS, circuit.num_parameters))
    aers = circuit.decompose()
    first = estimator(SkerryEstimator, circuit, rows)
    second = estimator(lambda: EstimatorV2(options={"default_precision": 0.0}), aers, rows)
    np.testing.assert_allclose(first(), second(), atol=1e-10)
    mine, others = turns(first, second, repeat)
    print(f"Estimator, {SETS} parameter sets: {mine:.2f} ms, Aer {others:.2f} ms: {mine / others:.2f}")


if __name__ == "__main__":
    main()
