"""Reference vectors of tests/data/cv as circuits and arrays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from skerry import PhotonicCircuit

DATA = Path(__file__).resolve().parent.parent / "data" / "cv"
NAMES = {
    "D": "displacement",
    "S": "squeezing",
    "R": "rotation",
    "K": "kerr",
    "V": "cubic_phase",
    "BS": "beam_splitter",
    "S2": "two_mode_squeezing",
    "CK": "cross_kerr",
}
FILES = ("complex64", "single"), ("complex128", "double")


def load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return content


def array(value: dict[str, Any]) -> np.ndarray:
    return (np.array(value["re"]) + 1j * np.array(value["im"])).reshape(value["shape"])


def circuit_of(gates: list[dict[str, Any]], modes: int) -> PhotonicCircuit:
    circuit = PhotonicCircuit(modes)
    for gate in gates:
        circuit.append(NAMES[gate["g"]], gate["p"], gate["m"])
    return circuit


def network(modes: int, layers: int) -> PhotonicCircuit:
    each = PhotonicCircuit.layer_weights(modes)
    circuit = PhotonicCircuit(modes, weights=layers * each)
    for layer in range(layers):
        circuit.layer(layer * each)
    return circuit
