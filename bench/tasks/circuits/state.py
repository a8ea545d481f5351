"""From |0> to the state: run the circuit, read one amplitude (Lightning: one expectation value).

Compared are the probabilities of basis state 0 and of 0 on wire 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tasks.gates import Gate
from tasks.libraries import Aer, Lightning, Qsim, Qulacs, Skerry
from tasks.task import Case, Library, Variant


def libraries(gates: Callable[[int], list[Gate]]) -> Mapping[str, Library]:
    def skerry(case: Case) -> list[Variant]:
        library = Skerry(case)
        circuit = library.circuit(gates(case.size), case.size)
        z0 = library.observable([(1.0, {0: "Z"})], case.size)
        return [
            Variant(
                "sweeps",
                lambda: library.simulator.run(circuit),
                lambda state: {"p0": abs(state.amplitude(0)) ** 2, "q0": (1 + state.expectation(z0)) / 2},
            )
        ]

    def qsim(case: Case) -> list[Variant]:
        library = Qsim(case)
        circuit = library.circuit(gates(case.size), case.size)
        return [
            Variant(f"f={f}", library.amplitude(circuit, case.size, f), lambda a: {"p0": abs(a) ** 2})
            for f in (Qsim.fusions if case.precision == "single" else ())
        ]

    def qulacs(case: Case) -> list[Variant]:
        if case.precision == "single":
            return []
        library = Qulacs(case)
        state = library.module.QuantumState(case.size)

        def run(circuit: object) -> complex:
            state.set_zero_state()
            circuit.update_quantum_state(state)  # type: ignore[attr-defined]
            return complex(state.get_amplitude(0))

        return [
            Variant(name, lambda circuit=circuit: run(circuit), lambda a: {"p0": abs(a) ** 2})  # type: ignore[misc]
            for name, circuit in library.optimized(gates(case.size), case.size)
        ]

    def aer(case: Case) -> list[Variant]:
        library = Aer(case)
        circuit = library.circuit(gates(case.size), case.size)
        circuit.save_amplitudes([0])
        variants = []
        for name, options in Aer.settings:
            simulator = library.simulator(**options)
            variants.append(
                Variant(
                    name,
                    lambda simulator=simulator: simulator.run(circuit, shots=1).result().data(0)["amplitudes"][0],  # type: ignore[misc]
                    lambda a: {"p0": abs(a) ** 2},
                )
            )
        return variants

    def lightning(case: Case) -> list[Variant]:
        library = Lightning(case)
        qml = library.qml
        tape = qml.tape.QuantumScript(library.operations(gates(case.size)), [qml.expval(qml.PauliZ(0))])
        device = library.device(case.size)
        return [Variant("tape", lambda: float(device.execute(tape)), lambda z0: {"q0": (1 + z0) / 2})]

    return {"skerry": skerry, "qsim": qsim, "qulacs": qulacs, "aer": aer, "lightning": lightning}
