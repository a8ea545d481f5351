"""Values and gradients of an ansatz of four layers, for the tasks that ask for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tasks.gates import Gate, Term, ansatz
from tasks.libraries import Lightning, Qulacs, Skerry, load
from tasks.task import Answer, Case, Variant

LAYERS = 4


def norm(gradient: Sequence[float]) -> float:
    return math.sqrt(sum(float(x) ** 2 for x in gradient))


def angles(gates: list[Gate]) -> list[float]:
    return [angle for name, _, angle in gates if name != "cx"]


def symbolic(module: Any, gates: list[Gate], wires: int) -> Any:
    """Skerry's circuit with a parameter for each angle, in order."""
    circuit = module.Circuit(wires)
    for name, on, _ in gates:
        angle = [] if name == "cx" else [module.Parameter(f"p{len(circuit.parameters)}")]
        getattr(circuit, name)(*angle, *on)
    return circuit


def skerry(case: Case, terms: list[Term], inner: int = 1) -> list[Variant]:
    library = Skerry(case)
    gates = ansatz(case.size, LAYERS)
    circuit = symbolic(library.module, gates, case.size)
    energy = library.observable(terms, case.size)
    point = load("numpy").array(angles(gates))

    def answer(found: Any) -> Answer:
        return {"energy": found.value, "gradient": norm(found.grad)}

    return [
        Variant("adjoint", lambda: library.simulator.value_and_grad(circuit, energy, point), answer, inner),
    ]


def lightning(case: Case, terms: list[Term], inner: int = 1) -> list[Variant]:
    library = Lightning(case)
    gates = ansatz(case.size, LAYERS)
    measured = [library.qml.expval(library.observable(terms, case.size))]
    tape = library.qml.tape.QuantumScript(library.operations(gates), measured)
    tape.trainable_params = list(range(len(angles(gates))))
    config = load("pennylane.devices").ExecutionConfig(gradient_method="adjoint", use_device_gradient=True)
    device = library.device(case.size)

    def answer(found: Any) -> Answer:
        return {"energy": float(found[0]), "gradient": norm([float(x) for x in found[1]])}

    return [Variant("adjoint", lambda: device.execute_and_compute_derivatives(tape, config), answer, inner)]


def qulacs(case: Case, terms: list[Term], inner: int = 1) -> list[Variant]:
    library = Qulacs(case)
    circuit = library.module.ParametricQuantumCircuit(case.size)
    for name, on, angle in ansatz(case.size, LAYERS):
        if name == "cx":
            circuit.add_CNOT_gate(*on)
        else:  # its rotations turn the other way
            getattr(circuit, f"add_parametric_{name.upper()}_gate")(*on, -angle)
    energy, state = library.observable(terms, case.size), library.module.QuantumState(case.size)

    def run() -> tuple[float, list[float]]:
        for i in range(circuit.get_parameter_count()):
            circuit.set_parameter(i, circuit.get_parameter(i))
        gradient = circuit.backprop(energy)
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return energy.get_expectation_value(state), gradient

    return [Variant("backprop", run, lambda found: {"energy": found[0], "gradient": norm(found[1])}, inner)]
