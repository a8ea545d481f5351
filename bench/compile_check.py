"""Judges a compiled circuit: is it legal on the device, does it mean what the source meant, how big is it.

Works on Qiskit circuits, so that Skerry and its peers are judged by the same eyes, none of them Skerry's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

BASIS = ("rz", "sx", "x", "cx")
PASSIVE = ("barrier", "delay")
WIDEST = 15  # wires of a state vector that is compared; more are left unchecked

Vector = NDArray[np.complex128]


@dataclass
class Size:
    """What a circuit costs; control flow counts each body once."""

    cx: int
    depth: int
    cx_depth: int
    gates: int
    legal: bool


def measure_size(circuit: QuantumCircuit, edges: list[tuple[int, int]] | None) -> Size:
    """Counts gates and says whether each is a gate of the basis on an edge of the device (None: any pair)."""
    allowed = None if edges is None else {frozenset(edge) for edge in edges}
    size = Size(0, 0, 0, 0, True)

    def walk(part: QuantumCircuit, physical: list[int]) -> None:
        for item in part.data:
            wires = [physical[part.find_bit(q).index] for q in item.qubits]
            blocks = getattr(item.operation, "blocks", None)
            if blocks:
                for block in blocks:
                    walk(block, wires)
                continue
            name = item.operation.name
            if name in (*PASSIVE, "measure", "reset"):
                continue
            size.gates += 1
            size.legal &= name in BASIS
            if len(wires) == 2:
                size.cx += 1
                size.legal &= allowed is None or frozenset(wires) in allowed

    walk(circuit, list(range(circuit.num_qubits)))
    size.depth = circuit.depth(lambda item: item.operation.name != "barrier")
    size.cx_depth = circuit.depth(lambda item: len(item.qubits) == 2 and item.operation.name != "barrier")
    return size


def is_dynamic(circuit: QuantumCircuit) -> bool:
    """True where gates follow measurements, or wires are reset: no one unitary and no final measurement."""
    measured = set()
    for item in circuit.data:
        if getattr(item.operation, "blocks", None) or item.operation.name == "reset":
            return True
        if item.operation.name == "measure":
            measured.add(item.qubits[0])
        elif item.operation.name != "barrier" and any(q in measured for q in item.qubits):
            return True
    return False


def _apply(state: Vector, wires: int, matrix: Vector, on: list[int]) -> Vector:
    axes = [wires - 1 - q for q in reversed(on)]
    tensor = np.moveaxis(state.reshape([2] * wires), axes, range(len(on)))
    shape = tensor.shape
    moved = (matrix @ tensor.reshape(2 ** len(on), -1)).reshape(shape)
    return np.ascontiguousarray(np.moveaxis(moved, range(len(on)), axes)).reshape(-1)


def _evolve(circuit: QuantumCircuit, start: dict[int, Vector], place: dict[int, int]) -> tuple[Vector, dict[int, int]]:
    wires = len(place)
    state = np.zeros(2**wires, complex)
    state[0] = 1
    bits: dict[int, int] = {}
    for wire, unitary in start.items():
        state = _apply(state, wires, unitary, [place[wire]])
    for item in circuit.data:
        name = item.operation.name
        on = [circuit.find_bit(q).index for q in item.qubits]
        if name == "measure":
            bits[circuit.find_bit(item.clbits[0]).index] = on[0]
        elif name not in PASSIVE:
            state = _apply(state, wires, Operator(item.operation).data, [place[q] for q in on])
    return state * np.exp(1j * float(circuit.global_phase)), bits


def _outcomes(state: Vector, bits: dict[int, int], place: dict[int, int]) -> NDArray[np.float64]:
    wires = len(place)
    axes = [wires - 1 - place[bits[bit]] for bit in sorted(bits)]
    chances = (np.abs(state.reshape([2] * wires)) ** 2).sum(axis=tuple(a for a in range(wires) if a not in axes))
    return np.asarray(np.transpose(chances, [sorted(axes).index(a) for a in axes]))


def _random_start(random: np.random.Generator, wires: int) -> dict[int, Vector]:
    def unitary() -> Vector:
        drawn = random.normal(size=(2, 2)) + 1j * random.normal(size=(2, 2))
        return np.asarray(np.linalg.qr(drawn)[0])

    return {wire: unitary() for wire in range(wires)}


def verdict(source: QuantumCircuit, result: QuantumCircuit, initial: list[int], final: list[int]) -> str:
    """`ok`, `WRONG`, or why it was not compared: `dynamic`, `wide`.

    initial and final: the result's wire of each wire of the source at the start and at the end. Random product states
    go in; states are compared up to a phase, measured circuits by their joint distribution.
    """
    if is_dynamic(source):
        return "dynamic"
    used = {result.find_bit(q).index for i in result.data if i.operation.name != "barrier" for q in i.qubits}
    used |= set(initial) | set(final)
    if len(used) > WIDEST or source.num_qubits > WIDEST - 2:
        return "wide"
    place = {wire: k for k, wire in enumerate(sorted(used))}
    plain = {wire: wire for wire in range(source.num_qubits)}
    random = np.random.default_rng(5)
    measured = any(item.operation.name == "measure" for item in source.data)
    for _ in range(2):
        start = _random_start(random, source.num_qubits)
        expected, bits = _evolve(source, start, plain)
        actual, result_bits = _evolve(result, {initial[q]: u for q, u in start.items()}, place)
        if measured:
            if sorted(bits) != sorted(result_bits):
                return "WRONG"
            difference = np.abs(_outcomes(expected, bits, plain) - _outcomes(actual, result_bits, place)).max()
            if difference > 1e-6:
                return "WRONG"
            continue
        axes = [len(place) - 1 - place[final[q]] for q in reversed(range(source.num_qubits))]
        rest = [a for a in range(len(place)) if a not in axes]
        moved = np.transpose(actual.reshape([2] * len(place)), axes + rest).reshape(2**source.num_qubits, -1)[:, 0]
        if abs(np.vdot(expected, moved)) < 1 - 1e-7:
            return "WRONG"
    return "ok"
