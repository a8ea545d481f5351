"""Circuits of many qubits without their amplitudes: contraction of networks, and chains of tensors, in one simulator.

>>> import skerry
>>> from skerry.tensornet import TensorNetworkConfig, TensorNetworkSimulator
>>> ghz = skerry.Circuit(60).h(0)
>>> for qubit in range(1, 60):
...     _ = ghz.cx(qubit - 1, qubit)
>>> simulator = TensorNetworkSimulator(TensorNetworkConfig(max_memory_mb=64))
>>> simulator.amplitudes(ghz, ["0" * 60, "1" * 60]).round(6).tolist()
[(0.707107+0j), (0.707107+0j)]
>>> simulator.expectation(ghz, skerry.Observable.parse("Z0 Z59", 60))
1.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skerry._core import Circuit, Observable, Plan, RunResult
from skerry.parameters import Parameters
from skerry.running import Keywords, Precision, plan, run

Method = Literal["auto", "mps", "tensor_network"]


@dataclass(frozen=True)
class TensorNetworkConfig:
    """Limits of the simulator. `method` auto: what is predicted to be faster for each question.

    A `max_bond_dimension` other than 0 may cut chains off, which the result's `error_bound` tells; contraction is
    exact, and takes what does not fit into `max_memory_mb` in slices.
    """

    max_memory_mb: float | None = None
    max_execution_time: float | None = None
    precision: Precision = "double"
    threads: int = 0
    method: Method = "auto"
    max_bond_dimension: int = 0
    truncation_threshold: float = 1e-24


class TensorNetworkSimulator:
    """Amplitudes, expectation values and samples by methods `tensor_network` and `mps`; samples by `mps` alone."""

    def __init__(self, config: TensorNetworkConfig | None = None) -> None:
        self.config = config or TensorNetworkConfig()

    def amplitudes(
        self, circuit: Circuit, basis_states: Sequence[str], params: Parameters = None
    ) -> NDArray[np.complex128]:
        """Amplitudes of basis states, text with qubit 0 rightmost. Errors: those of skerry.run()."""
        return self._run(circuit, params, {"amplitudes": basis_states}).amplitudes

    def expectation(self, circuit: Circuit, observable: Observable, params: Parameters = None) -> float:
        """The expectation value of a sum of Pauli strings. Errors: those of skerry.run()."""
        return self._run(circuit, params, {"observables": [observable]}).expectations[0]

    def counts(self, circuit: Circuit, shots: int = 1024, seed: int = 0, params: Parameters = None) -> dict[str, int]:
        """Samples of a chain; the same seed, the same counts. Errors: those of skerry.run()."""
        return self._run(circuit, params, {"shots": shots, "seed": seed}).counts

    def plan(self, circuit: Circuit, params: Parameters = None, **asked: object) -> Plan:
        """What a run would take, by the method that it would take; the keywords are those of skerry.run()."""
        keywords = self._keywords()
        keywords.update(asked)  # type: ignore[typeddict-item]
        return plan(circuit, params=params, **self._chosen(circuit, params, keywords))

    def _keywords(self) -> Keywords:
        c = self.config
        return {
            "method": c.method,
            "precision": c.precision,
            "threads": c.threads,
            "max_memory_mb": c.max_memory_mb,
            "max_execution_time": c.max_execution_time,
            "max_bond_dimension": c.max_bond_dimension,
            "truncation_threshold": c.truncation_threshold,
        }

    def _chosen(self, circuit: Circuit, params: Parameters, keywords: Keywords) -> Keywords:
        if keywords["method"] != "auto":
            return keywords
        found = plan(circuit, params=params, **keywords).candidates
        able = [c for c in found if c.name in ("mps", "tensor_network") and c.seconds > 0]
        limit = self.config.max_memory_mb
        fitting = [c for c in able if limit is None or c.peak_bytes <= limit * 1e6]
        # Where neither can, the refusal of the one by name says why.
        best = min(fitting or able, key=lambda c: c.seconds, default=None)
        name = best.name if best else "mps" if keywords.get("shots") else "tensor_network"
        return {**keywords, "method": name}

    def _run(self, circuit: Circuit, params: Parameters, asked: Keywords) -> RunResult:
        keywords: Keywords = {**self._keywords(), **asked}
        return run(circuit, params=params, **self._chosen(circuit, params, keywords))
