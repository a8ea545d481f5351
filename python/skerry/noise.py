"""Noise models: from files, and from Qiskit Aer's."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skerry._core import Channel, NoiseModel, loads_noise
from skerry.errors import IoError, Unsupported

__all__ = ["Channel", "NoiseModel", "from_aer", "load_noise", "loads_noise"]

Operator = NDArray[np.complex128]

_LETTERS = "IXYZ"


@functools.cache
def _paulis() -> dict[str, Operator]:
    matrices = (np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1]))
    return {letter: matrix.astype(np.complex128) for letter, matrix in zip(_LETTERS, matrices, strict=True)}


@functools.cache
def _gates() -> dict[str, Operator]:
    """The gates that Aer writes into errors; first qubit least significant. Made when first asked for."""
    s, t = np.diag([1, 1j]), np.diag([1, np.exp(0.25j * np.pi)])
    sx = 0.5 * np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]])
    gates: dict[str, NDArray[Any]] = {
        **{name: _paulis()[letter] for name, letter in zip(("id", "x", "y", "z"), _LETTERS, strict=True)},
        "h": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
        "s": s,
        "sdg": s.conj(),
        "t": t,
        "tdg": t.conj(),
        "sx": sx,
        "sxdg": sx.conj().T,
        "cx": np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]),
        "cz": np.diag([1, 1, 1, -1]),
        "swap": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
    }
    return {name: matrix.astype(np.complex128) for name, matrix in gates.items()}


def load_noise(path: str | os.PathLike[str]) -> NoiseModel:
    """The noise model of a JSON file. Errors: skerry.Error that names the rule and the channel."""
    from pathlib import Path  # some milliseconds of every import of this package otherwise

    try:
        text = Path(path).read_text()
    except OSError as error:
        raise IoError(str(error), str(path), "") from error
    return loads_noise(text, Path(path).name)


def _matrix(param: Any) -> Operator:
    """A matrix, as an array or as Aer's serializable lists of [real, imaginary]."""
    array = np.asarray(param)
    if array.ndim == 3:
        array = array[..., 0] + 1j * array[..., 1]
    return array.astype(np.complex128)


def _operators(instruction: Mapping[str, Any], where: str) -> list[Operator]:
    """Kraus operators of one instruction of an error, on its own qubits."""
    name, params = instruction["name"], instruction.get("params", [])
    if name in _gates():
        return [_gates()[name]]
    if name == "pauli":
        matrix: Operator = np.eye(1, dtype=np.complex128)
        for letter in params[0]:
            matrix = np.kron(matrix, _paulis()[letter]).astype(np.complex128)
        return [matrix]
    if name == "unitary":
        return [_matrix(params[0])]
    if name == "kraus":
        return [_matrix(param) for param in params]
    if name == "reset":
        return [np.array([[1, 0], [0, 0]], dtype=np.complex128), np.array([[0, 1], [0, 0]], dtype=np.complex128)]
    raise Unsupported(f"an error holds the instruction '{name}'", where, "write the error as Kraus operators")


def _widened(matrix: Operator, qubits: Sequence[int], num_qubits: int) -> Operator:
    """The matrix on all qubits of an error."""
    size = 2**num_qubits
    index = np.arange(size)
    inner = np.zeros_like(index)
    for j, q in enumerate(qubits):
        inner |= ((index >> q) & 1) << j
    rest = index & ~sum(1 << q for q in qubits)
    return np.where(rest[:, None] == rest[None, :], matrix[inner[:, None], inner[None, :]], 0).astype(np.complex128)


def _fewest(operators: list[Operator]) -> list[Operator]:
    """The same map by as few operators as it takes: eigenvectors of its Choi matrix."""
    vectors = np.array([k.reshape(-1) for k in operators])
    values, eigenvectors = np.linalg.eigh(vectors.T @ vectors.conj())
    shape = operators[0].shape
    return [
        np.sqrt(value) * vector.reshape(shape)
        for value, vector in zip(values, eigenvectors.T, strict=True)
        if value > 1e-14
    ]


def _channel(error: Mapping[str, Any], where: str) -> Channel:
    terms = error["instructions"]
    num_qubits = 1 + max(q for term in terms for instruction in term for q in instruction["qubits"])
    operators: list[Operator] = []
    for probability, term in zip(error["probabilities"], terms, strict=True):
        if probability == 0:
            continue
        products = [np.sqrt(probability) * np.eye(2**num_qubits, dtype=np.complex128)]
        for instruction in term:
            steps = [_widened(k, instruction["qubits"], num_qubits) for k in _operators(instruction, where)]
            products = [step @ product for step in steps for product in products]
        operators += products
    if len(operators) > 16**num_qubits:
        operators = _fewest(operators)
    return Channel.kraus(operators)


def from_aer(model: Any) -> NoiseModel:
    """A Qiskit Aer NoiseModel, or what its to_dict() gave (serializable or not); Aer itself is not imported.

    Whatever cannot be told exactly is Unsupported: readout errors of several qubits at once, instructions in an error
    that are none of Aer's own. The p of Aer's depolarizing_error is that of Channel.depolarizing.

    >>> from skerry.noise import from_aer
    >>> error = {"type": "qerror", "operations": ["x"], "probabilities": [0.9, 0.1],
    ...          "instructions": [[{"name": "id", "qubits": [0]}], [{"name": "x", "qubits": [0]}]]}
    >>> from_aer({"errors": [error]})
    <NoiseModel: 1 rules, 0 readout errors>
    """
    content: Mapping[str, Any] = model if isinstance(model, Mapping) else model.to_dict()
    out = NoiseModel()
    for index, error in enumerate(content.get("errors", [])):
        where = f"errors[{index}]"
        places: list[list[int]] = [[int(q) for q in qubits] for qubits in error.get("gate_qubits", [])] or [[]]
        kind = error.get("type")
        if kind == "qerror":
            channel = _channel(error, where)
            for gate in error["operations"]:
                for qubits in places:
                    out.add(gate, channel, qubits)
        elif kind == "roerror":
            confusion = np.asarray(error["probabilities"], dtype=np.float64)
            if confusion.shape != (2, 2):
                raise Unsupported(
                    f"a readout error is a matrix of {confusion.shape[0]} rows", where, "give one for each qubit"
                )
            for qubits in places:
                out.add_readout(confusion.tolist(), qubits)
        else:
            raise Unsupported(f"an error is of the type {kind!r}", where, "qerror and roerror are known")
    return out
