"""Stabilizer circuits with noise: detection events, logical flips and measurement records of many shots.

>>> from skerry import stabilizer
>>> circuit = stabilizer.loads('''
... R 0 1
... X_ERROR(0.25) 0
... CX 0 1
... M 1
... DETECTOR rec[-1]
... M 0
... OBSERVABLE_INCLUDE(0) rec[-1]
... ''')
>>> detectors, observables = stabilizer.Sampler(circuit).sample(1000, seed=7)
>>> detectors.shape, observables.shape, bool((detectors == observables).all())
((1000, 1), (1000, 1), True)
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skerry import _core
from skerry._core import StabilizerCircuit, StabilizerCounts

__all__ = ["Sampler", "Samples", "StabilizerCircuit", "StabilizerCounts", "load", "loads"]


class Samples(NamedTuple):
    """Rows of shots: bool [shots, bits], or uint8 [shots, ceil(bits / 8)] when packed, bit 0 first."""

    bits: NDArray[np.uint8 | np.bool_]
    observables: NDArray[np.uint8 | np.bool_]


def load(path: str | os.PathLike[str]) -> StabilizerCircuit:
    """Reads a circuit in the stim format. Errors: SyntaxError, SemanticError, Unsupported, with line and column."""
    return _core.load_stabilizer(path)


def loads(data: str | bytes, name: str = "<string>") -> StabilizerCircuit:
    """The same from text; `name` starts the place in error messages."""
    return _core.loads_stabilizer(data.encode() if isinstance(data, str) else data, name)


class Sampler:
    """A circuit made ready for sampling; keep it to sample again.

    of: `detectors` (and observables), or `measurements`. The same seed gives the same shots for any number of threads,
    and more shots begin with the same ones.

    >>> from skerry import stabilizer
    >>> ghz = stabilizer.loads("H 0\\nCX 0 1 1 2\\nM 0 1 2\\n")
    >>> records, _ = stabilizer.Sampler(ghz, of="measurements").sample(100)
    >>> sorted({tuple(row) for row in records.tolist()})
    [(False, False, False), (True, True, True)]
    """

    def __init__(self, circuit: StabilizerCircuit, *, of: str = "detectors") -> None:
        if of not in ("detectors", "measurements"):
            raise ValueError(f"of is {of!r}; use detectors or measurements")
        self._native = _core.make_stabilizer_sampler(circuit, of == "detectors")

    @property
    def table_bytes(self) -> int:
        """Bytes of the table that says what each error flips."""
        return self._native.table_bytes

    def sample(
        self,
        shots: int,
        *,
        seed: int = 0,
        packed: bool = False,
        threads: int = 0,
        max_memory_mb: float | None = None,
    ) -> Samples:
        """Bits of every shot. packed=True gives views of the native rows. Errors: BudgetExceeded."""
        rows = self._native.sample(shots, seed, threads, max_memory_mb).astype("<u8", copy=False)
        octets = rows.view(np.uint8).reshape(shots, 8 * rows.shape[1])
        first = (self._native.bits + 63) // 64 * 8
        parts = []
        for start, bits in ((0, self._native.bits), (first, self._native.observables)):
            part = octets[:, start : start + (bits + 7) // 8]
            parts.append(part if packed else np.unpackbits(part, axis=1, count=bits, bitorder="little").view(np.bool_))
        return Samples(*parts)

    def count(self, shots: int, *, seed: int = 0, threads: int = 0) -> StabilizerCounts:
        """How often each bit and observable was 1, in constant memory.

        >>> from skerry import stabilizer
        >>> circuit = stabilizer.loads("X_ERROR(1) 0\\nM 0\\nDETECTOR rec[-1]\\n")
        >>> stabilizer.Sampler(circuit).count(1000).bits
        [1000]
        """
        return self._native.count(shots, seed, threads)
