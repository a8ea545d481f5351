"""The same gate list in each library's own form. Libraries are loaded when they are first asked for."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterator
from typing import Any

from tasks.gates import Gate, Term, to_qasm
from tasks.task import Case

load: Any = importlib.import_module


class Skerry:
    def __init__(self, case: Case) -> None:
        self.module = load("skerry")
        self.simulator = self.module.Simulator(precision=case.precision, threads=case.threads)

    def circuit(self, gates: list[Gate], wires: int) -> Any:
        return self.module.loads(to_qasm(gates, wires))

    def observable(self, terms: list[Term], wires: int) -> Any:
        listed = [("".join(paulis.values()), list(paulis), factor) for factor, paulis in terms]
        return self.module.Observable.from_sparse_list(listed, num_qubits=wires)


class Qsim:
    """complex64 alone. Gates are translated outside the timed part, fused inside it."""

    fusions = (2, 3, 4)

    def __init__(self, case: Case) -> None:
        self.cirq, self.qsim, self.case = load("cirq"), load("qsimcirq"), case

    def circuit(self, gates: list[Gate], wires: int) -> Any:
        cirq, wire = self.cirq, self.cirq.LineQubit.range(wires)
        plain = {"sx": cirq.X**0.5, "sy": cirq.ry(math.pi / 2), "t": cirq.T, "h": cirq.H}
        plain |= {"cx": cirq.CNOT, "cz": cirq.CZ, "swap": cirq.SWAP}

        def operation(name: str, on: tuple[int, ...], angle: float) -> Any:
            if name in plain:
                gate = plain[name]
            elif name == "cp":
                gate = cirq.CZPowGate(exponent=angle / math.pi)
            else:
                gate = getattr(cirq, name)(angle)
            return gate(*(wire[i] for i in on))

        return cirq.Circuit(operation(*gate) for gate in gates)

    def simulator(self, fusion: int) -> Any:
        options = self.qsim.QSimOptions(max_fused_gate_size=fusion, cpu_threads=self.case.threads)
        return self.qsim.QSimSimulator(options, seed=1)

    def amplitude(self, circuit: Any, wires: int, fusion: int) -> Any:
        """A call that runs the circuit and gives amplitude 0."""
        simulator = self.simulator(fusion)
        order = self.cirq.LineQubit.range(wires)
        translated, _ = simulator._translate_circuit(self.qsim.QSimCircuit(circuit), "translate_cirq_to_qsim", order)
        options = dict(simulator.qsim_options, c=translated, s=1, i="0" * wires + "\n")
        return lambda: simulator._sim_module.qsim_simulate(options)[0]

    def observable(self, terms: list[Term], wires: int) -> Any:
        cirq, wire = self.cirq, self.cirq.LineQubit.range(wires)
        return sum(
            factor * cirq.PauliString({wire[i]: getattr(cirq, letter) for i, letter in paulis.items()})
            for factor, paulis in terms
        )


class Qulacs:
    """complex128 alone. The state is reused; the optimizer runs outside the timed part."""

    def __init__(self, case: Case) -> None:
        os.environ["QULACS_NUM_THREADS"] = str(case.threads)
        self.module = load("qulacs")

    def circuit(self, gates: list[Gate], wires: int) -> Any:
        gate = self.module.gate
        rotations = {"rx": gate.RotX, "ry": gate.RotY, "rz": gate.RotZ}
        plain = {"t": gate.T, "h": gate.H, "cx": gate.CNOT, "cz": gate.CZ, "swap": gate.SWAP, "sx": gate.sqrtX}
        circuit = self.module.QuantumCircuit(wires)
        for name, on, angle in gates:
            if name in rotations:
                circuit.add_gate(rotations[name](*on, angle))
            elif name == "sy":
                circuit.add_gate(gate.RotY(*on, math.pi / 2))
            elif name == "cp":
                circuit.add_gate(gate.DiagonalMatrix(list(on), [1, 1, 1, complex(math.cos(angle), math.sin(angle))]))
            else:
                circuit.add_gate(plain[name](*on))
        return circuit

    def optimized(self, gates: list[Gate], wires: int) -> Iterator[tuple[str, Any]]:
        """The circuit as it stands, and after each setting of the optimizer."""
        yield "raw", self.circuit(gates, wires)
        optimizer = load("qulacs.circuit").QuantumCircuitOptimizer
        circuit = self.circuit(gates, wires)
        optimizer().optimize_light(circuit)
        yield "light", circuit
        for size in (2, 3):
            circuit = self.circuit(gates, wires)
            optimizer().optimize(circuit, size)
            yield f"block {size}", circuit

    def observable(self, terms: list[Term], wires: int) -> Any:
        observable = self.module.Observable(wires)
        for factor, paulis in terms:
            observable.add_operator(factor, " ".join(f"{letter} {wire}" for wire, letter in paulis.items()))
        return observable


class Aer:
    settings: tuple[tuple[str, dict[str, bool]], ...] = (("default", {}), ("no fusion", {"fusion_enable": False}))

    def __init__(self, case: Case) -> None:
        self.aer, self.qiskit, self.case = load("qiskit_aer"), load("qiskit"), case

    def circuit(self, gates: list[Gate], wires: int) -> Any:
        circuit = self.qiskit.QuantumCircuit(wires)
        for name, on, angle in gates:
            if name == "sy":
                circuit.ry(math.pi / 2, *on)
            elif name in ("rx", "ry", "rz", "cp"):
                getattr(circuit, name)(angle, *on)
            else:
                getattr(circuit, name)(*on)
        return circuit

    def simulator(self, **options: Any) -> Any:
        return self.aer.AerSimulator(
            method="statevector", precision=self.case.precision, max_parallel_threads=self.case.threads, **options
        )

    def observable(self, terms: list[Term], wires: int) -> Any:
        listed = [("".join(paulis.values()), list(paulis), factor) for factor, paulis in terms]
        return load("qiskit.quantum_info").SparsePauliOp.from_sparse_list(listed, num_qubits=wires)


class Lightning:
    """A built tape on lightning.qubit; OpenMP threads come from the environment."""

    def __init__(self, case: Case) -> None:
        self.qml, self.numpy, self.case = load("pennylane"), load("numpy"), case

    def operations(self, gates: list[Gate]) -> list[Any]:
        qml = self.qml
        plain = {"sx": qml.SX, "t": qml.T, "h": qml.Hadamard, "cx": qml.CNOT, "cz": qml.CZ, "swap": qml.SWAP}

        def operation(name: str, on: tuple[int, ...], angle: float) -> Any:
            if name == "sy":
                return qml.RY(math.pi / 2, on[0])
            if name == "cp":
                return qml.ControlledPhaseShift(angle, list(on))
            if name in ("rx", "ry", "rz"):
                return getattr(qml, name.upper())(angle, on[0])
            return plain[name](list(on))

        return [operation(*gate) for gate in gates]

    def device(self, wires: int) -> Any:
        dtype = self.numpy.complex64 if self.case.precision == "single" else self.numpy.complex128
        return self.qml.device("lightning.qubit", wires=wires, c_dtype=dtype)

    def observable(self, terms: list[Term], wires: int) -> Any:
        word = self.qml.pauli.string_to_pauli_word
        words = [word("".join(paulis.values()), {wire: i for i, wire in enumerate(paulis)}) for _, paulis in terms]
        return self.qml.Hamiltonian([factor for factor, _ in terms], words)
