"""A simulator with settings of its own, for whoever asks many questions of many circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry import _core
from skerry._core import Circuit, GradientProgram, Observable, RunOptions, State
from skerry.errors import InternalError, InvalidArgument, Unsupported
from skerry.parameters import ParameterBatch, Parameters, spread
from skerry.running import Precision

GradientMethod = Literal["adjoint", "parameter_shift", "finite_difference"]
Reals = NDArray[np.float64]
Rows = Parameters | ParameterBatch | NDArray[Any]

_KEPT = 4  # prepared circuits, the latest first
_SMALL = 12  # qubits up to which a prepared circuit's amplitudes fit in a second-level cache, a batch of them in lanes


class ValueAndGrad(NamedTuple):
    """What value_and_grad() gives."""

    value: Any
    grad: Any


class Simulator:
    """Runs circuits with one precision, number of threads and method.

    Between questions it keeps the last few circuits that it has prepared, never a state or a result.

    >>> import skerry
    >>> sim = skerry.Simulator(precision="single", threads=1)
    >>> theta = skerry.Parameter("theta")
    >>> circuit = skerry.Circuit(1).ry(theta, 0)
    >>> round(sim.expectation(circuit, skerry.Observable.parse("X0", 1), [1.5707963]), 4)
    1.0
    """

    def __init__(self, *, precision: Precision = "double", threads: int = 0, method: str = "auto") -> None:
        self.precision, self.threads, self.method = precision, threads, method
        self._prepared: list[tuple[tuple[Observable, ...], str, GradientProgram]] = []
        self._options()  # refuses wrong settings here, not at the first run

    def __reduce__(self) -> tuple[Any, ...]:
        return _simulator, (self.precision, self.threads, self.method)

    def _options(self) -> RunOptions:
        options = RunOptions()
        options.method = self.method
        options.set_precision(self.precision)
        options.set_limits(self.threads, None, None)
        return options

    def _program(self, circuit: Circuit, observables: Sequence[Observable]) -> GradientProgram:
        """The circuit prepared for these observables, from the last ones if it is among them."""
        for i, (kept, precision, program) in enumerate(self._prepared):
            same = len(kept) == len(observables) and all(a is b for a, b in zip(kept, observables, strict=True))
            if same and precision == self.precision and program.matches(circuit):
                if i != 0:
                    self._prepared.insert(0, self._prepared.pop(i))
                return program
        program = GradientProgram(circuit, list(observables), self.precision)
        self._prepared.insert(0, (tuple(observables), self.precision, program))
        del self._prepared[_KEPT:]
        return program

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

    @overload
    def expectation(self, circuit: Circuit, observable: Observable, params: Parameters = ...) -> float: ...
    @overload
    def expectation(self, circuit: Circuit, observable: Observable, params: ParameterBatch) -> Reals: ...
    @overload
    def expectation(self, circuit: Circuit, observable: Observable, params: NDArray[Any]) -> Any: ...
    def expectation(self, circuit: Circuit, observable: Observable, params: Rows = None) -> float | Reals:
        """Exact expectation value of the observable in the state that the circuit leaves; for params [batch, P] one
        for each row.

        >>> import numpy, skerry
        >>> circuit = skerry.Circuit(1).ry(skerry.Parameter("theta"), 0)
        >>> z = skerry.Observable.parse("Z0", 1)
        >>> skerry.Simulator().expectation(circuit, z, [[0.0], [numpy.pi / 2], [numpy.pi]]).round(6)
        array([ 1.,  0., -1.])
        """
        rows = _rows(circuit, params)
        if self.method in ("auto", "statevector") and circuit.num_qubits <= _SMALL:
            try:
                values = self._program(circuit, (observable,)).values(rows, self.threads)
            except Unsupported:
                pass  # it measures or branches: a run of its own for each row
            else:
                return float(values[0, 0]) if rows.ndim == 1 else values[:, 0]
        options = self._options()
        options.observables = [observable]
        found = []
        for row in np.atleast_2d(rows).tolist():
            options.parameters = row
            found.append(_core.run_circuit(circuit, options, None).expectations[0])
        return found[0] if rows.ndim == 1 else np.array(found)

    def probabilities(self, circuit: Circuit, params: Rows = None, *, qubits: Sequence[int] = ()) -> Reals:
        """Probability of each outcome of these qubits (qubits[0] least significant; of all if none is listed), [2^k];
        for params [batch, P] it is [batch, 2^k]. The circuit has gates alone.

        >>> import skerry
        >>> skerry.Simulator().probabilities(skerry.Circuit(2).h(0), qubits=[0]).round(3)
        array([0.5, 0.5])
        """
        rows = _rows(circuit, params)
        found = self._program(circuit, ()).probabilities(rows, list(qubits), self.threads)
        return found if rows.ndim == 2 else found[0]

    def value_and_grad(
        self,
        circuit: Circuit,
        observables: Observable | Sequence[Observable],
        params: Rows = None,
        *,
        method: GradientMethod = "adjoint",
    ) -> ValueAndGrad:
        """Expectation values and their derivatives by the circuit's parameters, in order of declaration.

        One observable and params [P] give a float and [P]; a list of O observables adds an axis [O], params [batch, P]
        a leading axis [batch]. `adjoint` takes about four runs, whatever P; `parameter_shift` 2 or 4 runs for each
        gate with a parameter, `finite_difference` 2 for each parameter.

        >>> import skerry
        >>> circuit = skerry.Circuit(1).ry(2 * skerry.Parameter("theta"), 0)
        >>> value, grad = skerry.Simulator().value_and_grad(circuit, skerry.Observable.parse("X0", 1), [0.0])
        >>> round(value, 6), grad.round(6)
        (0.0, array([2.]))

        Errors: Unsupported for a circuit that measures, resets or branches; InvalidArgument for another number of
        parameters.
        """
        single = isinstance(observables, Observable)
        rows = _rows(circuit, params)
        program = self._program(circuit, (observables,) if isinstance(observables, Observable) else observables)
        values, grads = program.value_and_grad(rows, method, self.threads)
        if single and rows.ndim == 1:
            return ValueAndGrad(float(values[0, 0]), grads[0, 0])
        if single:
            return ValueAndGrad(values[:, 0], grads[:, 0])
        return ValueAndGrad(values, grads) if rows.ndim == 2 else ValueAndGrad(values[0], grads[0])

    def vjp(
        self, circuit: Circuit, observables: Sequence[Observable], params: Rows, weights: ArrayLike
    ) -> ValueAndGrad:
        """Expectation values [O], and weights [O] times their Jacobian, [P], in one walk back: what reverse-mode
        differentiation asks of a layer. For params [batch, P] both have a leading axis, as weights [batch, O] do.

        >>> import skerry
        >>> circuit = skerry.Circuit(1).ry(skerry.Parameter("theta"), 0)
        >>> x, z = skerry.Observable.parse("X0", 1), skerry.Observable.parse("Z0", 1)
        >>> skerry.Simulator().vjp(circuit, [x, z], [0.0], [3.0, 1.0]).grad.round(6)
        array([3.])
        """
        rows = _rows(circuit, params)
        given = np.ascontiguousarray(weights, dtype=np.float64)
        values, products = self._program(circuit, observables).vector_jacobian(rows, given, self.threads)
        return ValueAndGrad(values, products) if rows.ndim == 2 else ValueAndGrad(values[0], products[0])

    def hessian_vector(
        self, circuit: Circuit, observable: Observable, params: Parameters, direction: ArrayLike
    ) -> Reals:
        """The Hessian of the expectation value times `direction`, [P]; exact.

        >>> import skerry
        >>> circuit = skerry.Circuit(1).ry(skerry.Parameter("theta"), 0)
        >>> skerry.Simulator().hessian_vector(circuit, skerry.Observable.parse("Z0", 1), [0.0], [1.0]).round(6)
        array([-1.])
        """
        given = np.ascontiguousarray(direction, dtype=np.float64)
        products = self._program(circuit, (observable,)).hessian_vector(_rows(circuit, params), given, self.threads)
        return np.asarray(products[0], dtype=np.float64)

    def fisher_information(self, circuit: Circuit, params: Parameters = None) -> Reals:
        """The quantum Fisher information matrix [P, P] of the circuit's state, four times the Fubini-Study metric.

        >>> import skerry
        >>> skerry.Simulator().fisher_information(skerry.Circuit(1).ry(skerry.Parameter("t"), 0), [0.7]).round(6)
        array([[1.]])
        """
        return self._program(circuit, ()).fisher_information(_rows(circuit, params), self.threads)


def _simulator(precision: Precision, threads: int, method: str) -> Simulator:
    """From a pickle: what was prepared stays behind."""
    return Simulator(precision=precision, threads=threads, method=method)


def _rows(circuit: Circuit, params: Rows) -> Reals:
    """Parameter values in order of declaration, [P] or [batch, P]."""
    if params is None:
        params = ()
    elif isinstance(params, Mapping):
        options = RunOptions()
        spread(options, params)
        return np.array(_core.parameter_values(circuit, options))
    rows = np.ascontiguousarray(params, dtype=np.float64)
    if rows.ndim > 2:
        raise InvalidArgument(f"parameters have {rows.ndim} dimensions", "params", "give [P], or [batch, P]")
    if rows.ndim == 2 and rows.shape[1] != len(circuit.parameters):
        raise InvalidArgument(
            f"rows of {rows.shape[1]} parameters were given to a circuit of {len(circuit.parameters)}", "params"
        )
    return rows


def _state(circuit: Circuit, options: RunOptions) -> State:
    state = _core.run_circuit(circuit, options, None).state
    if state is None:
        raise InternalError("a run that was asked for its state gave none")
    return state
