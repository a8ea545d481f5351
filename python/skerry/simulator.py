"""A simulator with settings of its own, for whoever asks many questions of many circuits."""

from __future__ import annotations

from typing import Any, overload

from numpy.typing import NDArray

from skerry import _core
from skerry._core import Circuit, Observable, RunOptions, State
from skerry.errors import InternalError
from skerry.parameters import ParameterBatch, Parameters, spread
from skerry.running import Precision


class Simulator:
    """Runs circuits with one precision, number of threads and method; it holds no state between runs.

    >>> import skerry
    >>> sim = skerry.Simulator(precision="single", threads=1)
    >>> theta = skerry.Parameter("theta")
    >>> circuit = skerry.Circuit(1).ry(theta, 0)
    >>> round(sim.expectation(circuit, skerry.Observable.parse("X0", 1), [1.5707963]), 4)
    1.0
    """

    def __init__(self, *, precision: Precision = "double", threads: int = 0, method: str = "auto") -> None:
        self.precision, self.threads, self.method = precision, threads, method
        self._options()  # refuses wrong settings here, not at the first run

    def _options(self) -> RunOptions:
        options = RunOptions()
        options.method = self.method
        options.set_precision(self.precision)
        options.set_limits(self.threads, None, None)
        return options

    @overload
    def run(self, circuit: Circuit, params: Parameters = ...) -> State: ...
    @overload
    def run(self, circuit: Circuit, params: ParameterBatch) -> list[State]: ...
    @overload
    def run(self, circuit: Circuit, params: NDArray[Any]) -> Any: ...
    def run(self, circuit: Circuit, params: Parameters | ParameterBatch | NDArray[Any] = None) -> State | list[State]:
        """The state that the circuit leaves; for params [batch, P] a list of them."""
        options = self._options()
        options.want_state = True
        batch = spread(options, params)
        if batch is None:
            return _state(circuit, options)
        return [_state(circuit, one) for one in batch]

    def counts(self, circuit: Circuit, params: Parameters = None, *, shots: int, seed: int = 0) -> dict[str, int]:
        """Measured bit strings and how often each came; of all qubits if the circuit measures none."""
        options = self._options()
        options.shots, options.seed = shots, seed
        spread(options, params)
        return _core.run_circuit(circuit, options, None).counts

    def expectation(self, circuit: Circuit, observable: Observable, params: Parameters = None) -> float:
        """Exact expectation value of the observable in the state that the circuit leaves."""
        options = self._options()
        options.observables = [observable]
        spread(options, params)
        return _core.run_circuit(circuit, options, None).expectations[0]


def _state(circuit: Circuit, options: RunOptions) -> State:
    state = _core.run_circuit(circuit, options, None).state
    if state is None:
        raise InternalError("a run that was asked for its state gave none")
    return state
