"""Circuits for devices: compiled, estimated, compared, written as OpenQASM.

A device is a dictionary `{"qubits": 3, "coupling": [[0, 1], [1, 2]], "basis": ["rz", "sx", "x", "cx"]}` with
`duration_ns`, `error`, `t1_us` where they are known, the path of such a JSON file, or a Qiskit `Target`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from skerry import _core
from skerry._core import Circuit, PassReport
from skerry.compiling import Level

Device = Mapping[str, Any] | str | Path
Alignment = Literal["asap", "alap"]
Decoupling = Literal["none", "x2", "xy4"]
Format = Literal["openqasm2", "openqasm3", "blackbird", "diagram", "svg"]


def _from_qiskit(target: Any) -> dict[str, Any]:
    """The same facts as a dictionary; gates that are not fixed (control flow) are left out."""
    edges: set[tuple[int, ...]] = set()
    durations: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    basis = []
    for name in target.operation_names:
        placed = target[name] or {}
        by_wires = {wires: properties for wires, properties in placed.items() if wires is not None}
        if name in ("delay", "if_else", "while_loop", "for_loop", "switch_case", "barrier"):
            continue
        if name not in ("measure", "reset"):
            basis.append(name)
        for wires, properties in by_wires.items():
            if len(wires) == 2:
                edges.add(tuple(wires))
            key = "-".join(str(w) for w in wires)
            if properties is not None and properties.duration is not None:
                durations.setdefault(name, {})[key] = properties.duration * 1e9
            if properties is not None and properties.error is not None:
                errors.setdefault(name, {})[key] = properties.error
    device: dict[str, Any] = {"qubits": target.num_qubits, "basis": basis, "duration_ns": durations, "error": errors}
    if edges:
        device["coupling"] = sorted(edges)
        device["directed"] = any((b, a) not in edges for a, b in edges)
    return device


def _as_json(device: Any) -> str:
    if isinstance(device, str | Path):
        return Path(device).read_text(encoding="utf-8")
    known = getattr(device, "target", device)
    if hasattr(known, "operation_names"):  # Qiskit's Target is a mapping, too
        return json.dumps(_from_qiskit(known))
    return json.dumps(dict(device))


@dataclass(frozen=True)
class CompiledForDevice:
    """The circuit in the device's gates and where the program's qubits are on it."""

    circuit: Circuit
    initial: list[int]
    final: list[int]
    spent_error: float
    passes: list[PassReport]


@dataclass(frozen=True)
class ScheduledCircuit:
    """A circuit in which every wait is written down."""

    circuit: Circuit
    idle_seconds: float
    pulses: int


class QuantumCircuitOptimizer:
    """Compiles circuits for one device.

    >>> import skerry
    >>> from skerry.circuits import QuantumCircuitOptimizer
    >>> line = {"qubits": 4, "coupling": [[0, 1], [1, 2], [2, 3]], "duration_ns": {"cx": 300, "sx": 40, "x": 40}}
    >>> optimizer = QuantumCircuitOptimizer(line)
    >>> ghz = skerry.Circuit(3).h(0).cx(0, 1).cx(0, 2)
    >>> optimized = optimizer.optimize_circuit(ghz)
    >>> optimizer.estimate_resources(optimized.circuit)["counts"]["cx"]
    2
    """

    def __init__(self, backend: Device | Any) -> None:
        self._device = _as_json(backend)
        self.disabled_passes: list[str] = []
        _core.estimate(Circuit(0), self._device)  # refuses a wrong device here, not at the first circuit

    def create_optimization_passes(self, optimization_level: int = 2) -> list[str]:
        """Names of the passes in order; those in `disabled_passes` are left out.

        >>> QuantumCircuitOptimizer({"qubits": 2}).create_optimization_passes(1)[0]
        'unroll'
        """
        names = _core.pipeline("device", _level(optimization_level))
        return [name for name in names if name not in self.disabled_passes]

    def optimize_circuit(
        self,
        circuit: Circuit,
        optimization_level: int = 2,
        *,
        seed: int = 42,
        error_budget: float = 1e-8,
        time_budget: float = 0.0,
    ) -> CompiledForDevice:
        """The circuit on the device's qubits, in its gates; the same for the same seed. Levels: 1, 2, 3.

        time_budget: what level 3 may take for searching, in seconds of a usual core, counted in steps so that the
        circuit depends on no clock; 0 is the level's own.
        """
        made, passes, initial, final, spent = _core.compile_for_target(
            circuit, self._device, _level(optimization_level), self.disabled_passes, seed, error_budget, time_budget
        )
        return CompiledForDevice(made, initial, final, spent, passes)

    def estimate_resources(self, circuit: Circuit) -> dict[str, Any]:
        """depth, width, gate_count, estimated_time (s), two_wire_depth, counts, success_probability."""
        return _core.estimate(circuit, self._device)

    def estimate_execution_time(self, circuit: Circuit) -> float:
        """Seconds along the critical path."""
        return float(_core.estimate(circuit, self._device)["estimated_time"])

    def schedule(
        self, circuit: Circuit, alignment: Alignment = "alap", decoupling: Decoupling = "none"
    ) -> ScheduledCircuit:
        """The circuit with a delay wherever a qubit waits, and pulses of a decoupling sequence in long delays.

        The durations are the device's; the meaning is kept, and so is the time that the circuit takes.

        >>> import skerry
        >>> device = {"qubits": 3, "duration_ns": {"cx": 300, "sx": 40, "x": 40}}
        >>> circuit = skerry.Circuit(3).sx(2).cx(0, 1).cx(0, 1).cx(1, 2)
        >>> QuantumCircuitOptimizer(device).schedule(circuit, "asap", "x2").pulses
        4
        """
        return ScheduledCircuit(*_core.schedule(circuit, self._device, alignment, decoupling))

    def check_map(self, circuit: Circuit) -> None:
        """Raises for the first gate that the device does not have, naming it."""
        _core.check_map(circuit, self._device)


def _level(number: int) -> Level:
    levels: dict[int, Level] = {0: "low", 1: "low", 2: "medium", 3: "high"}
    if number not in levels:
        raise ValueError(f"optimization_level {number} is not one of 0, 1, 2, 3")
    return levels[number]


def get_gate_duration(properties: Device | Any, gate: str, qubits: Sequence[int]) -> float:
    """Seconds that a gate takes on these qubits of a device, 0 where nothing is known.

    >>> get_gate_duration({"qubits": 2, "duration_ns": {"cx": {"0-1": 300}}}, "cx", [1, 0])
    3e-07
    """
    return _core.gate_duration(_as_json(properties), gate, list(qubits))


@dataclass(frozen=True)
class Finding:
    """Something in a circuit that costs without giving anything."""

    name: str
    message: str
    hint: str
    where: str


def lint(circuit: Circuit) -> list[Finding]:
    """What `skerry lint` tells: entanglement and its cut, gates that no bit can tell, qubits that could be used again.

    >>> import skerry
    >>> lint(skerry.Circuit(2, 1).h(0).cx(0, 1).measure(0, 0))[0].name
    'unobserved_gates'
    """
    return [Finding(*found) for found in _core.lint(circuit)]


def write_clifford_t(circuit: Circuit) -> Circuit:
    """The circuit in Clifford gates and phases, Toffoli gates as seven T, phases added wherever they can meet.

    >>> import skerry
    >>> twice = skerry.Circuit(4).ccx(0, 1, 2).cx(2, 3).ccx(0, 1, 2)
    >>> estimate_surface_code(twice)["t_count"], estimate_surface_code(write_clifford_t(twice))["t_count"]
    (14, 8)
    """
    return _core.write_clifford_t(circuit)


def estimate_surface_code(
    circuit: Circuit, *, physical_error: float = 1e-3, cycle_seconds: float = 1e-6, error_budget: float = 1e-2
) -> dict[str, Any]:
    """What a circuit takes on a machine with the surface code: t_count, rotations, t_states, distance, tiles,
    physical_qubits, seconds, error."""
    return _core.surface_code(circuit, physical_error, cycle_seconds, error_budget)


def verify_equal(
    a: Circuit, b: Circuit, initial: Sequence[int] = (), final: Sequence[int] = (), spent_error: float = 0.0
) -> tuple[Literal["equal", "different", "unknown"], str]:
    """Whether two circuits mean the same up to a global phase, and how that is known.

    initial, final: the qubit of `b` of each qubit of `a` at the start and at the end, as compiling gives them.
    spent_error: the mean infidelity that `b` may have left out, as compiling tells it.

    >>> import skerry
    >>> verify_equal(skerry.Circuit(2).cz(0, 1), skerry.Circuit(2).h(1).cx(0, 1).h(1))[0]
    'equal'
    """
    answer, reason = _core.verify_equal(a, b, list(initial), list(final), spent_error)
    return answer, reason  # type: ignore[return-value]


def emit(circuit: Circuit, format: Format = "openqasm3") -> str:
    """The circuit as text that other tools read, or as a drawing of lines or in SVG for people.

    >>> import skerry
    >>> print(emit(skerry.Circuit(1).h(0), "openqasm2"), end="")
    OPENQASM 2.0;
    include "qelib1.inc";
    qreg q[1];
    h q[0];
    """
    return _core.emit_text(circuit, format)
