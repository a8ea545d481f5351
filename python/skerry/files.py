"""Programs from files and text, and into packages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from skerry import _core
from skerry._core import Circuit, Model

PathLike = str | os.PathLike[str]


def load(path: PathLike, *, trusted: Sequence[PathLike] = (), check_weights: bool = False) -> Circuit | Model:
    """Reads OpenQASM, QIR, a JSON gate list, ONNX, Skerry's text or a package; the content decides, not the suffix.

    Weights stay in the mapped file. trusted: public key files; if any are given, only packages signed by one of them
    are accepted. check_weights: check the hash of mapped weights, however large.
    """
    return _core.load(path, list(trusted), check_weights)


def loads(data: str | bytes, name: str = "<string>") -> Circuit | Model:
    """The same from text or bytes; `name` starts the place in error messages. Includes are refused.

    >>> import skerry
    >>> skerry.loads("OPENQASM 3.0; qubit[2] q; U(0, 0, 0) q[1];")
    <Circuit: 2 qubits, 0 bits, 1 instructions>
    """
    return _core.loads(data.encode() if isinstance(data, str) else data, name)


def save(
    program: Circuit | Model,
    path: PathLike,
    *,
    compress: bool = False,
    key: PathLike | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes a `.skerry` package atomically; equal programs and options give equal bytes. key: signs with it."""
    _core.save(program, path, compress, key, dict(metadata or {}))
