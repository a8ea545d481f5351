"""Names of gates on both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qiskit.circuit import Gate, library

# Qiskit's standard gates whose name is another spelling here; gates that are missing go by their definition.
_OTHER_NAMES = {"global_phase": "gphase", "u1": "p", "u3": "u", "cu1": "cp"}
_SAME_NAMES = (
    *("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "p", "rx", "ry", "rz", "r", "u"),
    *("swap", "iswap", "dcx", "ecr", "rxx", "ryy", "rzz", "rzx", "xx_plus_yy", "xx_minus_yy"),
    *("cx", "ccx", "cy", "cz", "ccz", "ch", "cs", "csdg", "csx", "c3sx", "cp", "crx", "cry", "crz", "cu3", "cswap"),
)
SPELLINGS: dict[str, str] = {name: name for name in _SAME_NAMES} | _OTHER_NAMES
"""Name of a standard gate at Qiskit -> spelling here. Their parameters and the order of their wires agree."""

MakeGate = Callable[..., Gate]

PLAIN: dict[str, MakeGate] = {
    "gphase": library.GlobalPhaseGate,
    "id": library.IGate,
    "x": library.XGate,
    "y": library.YGate,
    "z": library.ZGate,
    "h": library.HGate,
    "s": library.SGate,
    "sdg": library.SdgGate,
    "t": library.TGate,
    "tdg": library.TdgGate,
    "sx": library.SXGate,
    "sxdg": library.SXdgGate,
    "p": library.PhaseGate,
    "rx": library.RXGate,
    "ry": library.RYGate,
    "rz": library.RZGate,
    "r": library.RGate,
    "u": library.UGate,
    "swap": library.SwapGate,
    "iswap": library.iSwapGate,
    "dcx": library.DCXGate,
    "ecr": library.ECRGate,
    "rxx": library.RXXGate,
    "ryy": library.RYYGate,
    "rzz": library.RZZGate,
    "rzx": library.RZXGate,
    "xx_plus_yy": library.XXPlusYYGate,
    "xx_minus_yy": library.XXMinusYYGate,
}
"""Name of a gate here -> what makes it there."""

_CONTROLLED: dict[tuple[str, int], MakeGate] = {
    ("x", 1): library.CXGate,
    ("x", 2): library.CCXGate,
    ("x", 3): library.C3XGate,
    ("x", 4): library.C4XGate,
    ("y", 1): library.CYGate,
    ("z", 1): library.CZGate,
    ("z", 2): library.CCZGate,
    ("h", 1): library.CHGate,
    ("s", 1): library.CSGate,
    ("sdg", 1): library.CSdgGate,
    ("sx", 1): library.CSXGate,
    ("p", 1): library.CPhaseGate,
    ("rx", 1): library.CRXGate,
    ("ry", 1): library.CRYGate,
    ("rz", 1): library.CRZGate,
    ("u", 1): library.CU3Gate,
    ("swap", 1): library.CSwapGate,
}


def make_gate(name: str, controls: int, params: list[Any]) -> Gate:
    """The gate of Qiskit's library of that name here, with so many controls."""
    short = _CONTROLLED.get((name, controls))
    if short is not None:
        return short(*params)
    if name == "gphase" and controls:
        # A phase of all that has its controls at 1 is a phase gate on the last of them.
        return make_gate("p", controls - 1, params)
    gate = PLAIN[name](*params)
    return gate if controls == 0 else gate.control(controls, annotated=True)
