"""Skerry's compiler as a stage of Qiskit's transpiler: `transpile(circuit, backend, layout_method="skerry")`."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import QuantumRegister
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.dagcircuit import DAGCircuit
from qiskit.transpiler import Layout, PassManager, PassManagerConfig, Target, TransformationPass, TranspilerError
from qiskit.transpiler.preset_passmanagers.plugin import PassManagerStagePlugin

from skerry.circuits import QuantumCircuitOptimizer
from skerry.errors import Error
from skerry.qiskit.errors import SkerryError
from skerry.qiskit.incoming import from_qiskit
from skerry.qiskit.outgoing import to_qiskit


class SkerryLayout(TransformationPass):
    """Layout, routing, resynthesis and translation at once: the circuit on the device's qubits, in its gates.

    Qiskit's later stages find a circuit that fits and leave it, or still improve on it. Errors: SkerryError for what
    has no meaning to Skerry's compiler, TranspilerError for a device that is too small.
    """

    def __init__(self, target: Target, optimization_level: int = 2, seed: int | None = None) -> None:
        super().__init__()
        self._target, self._level, self._seed = target, optimization_level, 42 if seed is None else seed

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """The circuit on the device; where its qubits are is told in the properties of Qiskit's own layouts."""
        width = self._target.num_qubits
        if dag.num_qubits() > width:
            raise TranspilerError(f"{dag.num_qubits()} qubits do not fit on a device of {width}")
        circuit = dag_to_circuit(dag)
        try:
            optimizer = QuantumCircuitOptimizer(self._target)
            made = optimizer.optimize_circuit(from_qiskit(circuit), self._level, seed=self._seed)
        except Error as error:
            raise SkerryError(error) from error
        physical = to_qiskit(made.circuit)
        # The caller's own parameters, which are more than their names.
        own = {parameter.name: parameter for parameter in circuit.parameters}
        physical.assign_parameters({p: own[p.name] for p in physical.parameters}, inplace=True)

        placed = DAGCircuit()
        placed.name, placed.metadata = dag.name, dag.metadata
        placed.add_qreg(QuantumRegister(width, "q"))
        placed.add_clbits(dag.clbits)
        for register in dag.cregs.values():
            placed.add_creg(register)
        placed.compose(circuit_to_dag(physical), placed.qubits, placed.clbits)
        self._tell(dag, placed, made.initial, made.final)
        return placed

    def _tell(self, dag: DAGCircuit, placed: DAGCircuit, initial: list[int], final: list[int]) -> None:
        """Sets the properties `layout` (program's qubits and idle ones), `final_layout`, `original_qubit_indices`."""
        width = len(placed.qubits)
        idle = QuantumRegister(width - len(dag.qubits), "ancilla") if width > len(dag.qubits) else []
        wires = [*dag.qubits, *idle]
        begin = _completed(initial, width)
        layout = Layout(dict(zip(wires, begin, strict=True)))
        if idle:
            layout.add_register(idle)
        for register in dag.qregs.values():
            layout.add_register(register)
        self.property_set["layout"] = layout
        self.property_set["original_qubit_indices"] = {wire: place for place, wire in enumerate(wires)}
        end = _completed(final, width)
        if end != begin:
            moved = dict(zip(begin, end, strict=True))
            self.property_set["final_layout"] = Layout({placed.qubits[a]: moved[a] for a in range(width)})


def _completed(places: list[int], width: int) -> list[int]:
    """The places of the program's qubits, then the others in order."""
    return [*places, *sorted(set(range(width)) - set(places))]


class SkerryLayoutPlugin(PassManagerStagePlugin):
    """The layout stage `skerry` (entry point `qiskit.transpiler.layout`)."""

    def pass_manager(
        self, pass_manager_config: PassManagerConfig, optimization_level: int | None = None
    ) -> PassManager:
        """One pass for a device with a target; without one there is nothing to lay out."""
        config: Any = pass_manager_config
        if config.initial_layout is not None:
            raise TranspilerError("layout_method='skerry' chooses the layout; give no initial_layout")
        if config.target is None:
            return PassManager()
        level = 2 if optimization_level is None else optimization_level
        return PassManager([SkerryLayout(config.target, level, config.seed_transpiler)])
