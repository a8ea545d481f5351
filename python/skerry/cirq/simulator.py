"""SkerrySimulator: cirq.Simulator with the unitary parts computed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cirq
import numpy as np

from skerry import _core
from skerry._core import Circuit, Observable, RunOptions
from skerry.cirq.gates import written
from skerry.errors import Error

# What Cirq's qubits may hold at once; more are left to Cirq, which may yet find them untangled.
_MOST_QUBITS = 30
_DTYPES = {np.dtype(np.complex64): "single", np.dtype(np.complex128): "double"}


class SkerrySimulator(cirq.Simulator):
    """Stands where cirq.Simulator stands: the same arguments, methods and results.

    Stretches of unitary operations on qubits run here, in as many threads as `threads` says (0: all that the process
    may use); measurements, mixtures, noise and qudits are Cirq's business, on states that are made here.
    """

    def __init__(
        self,
        *,
        dtype: Any = np.complex64,
        noise: Any = None,
        seed: Any = None,
        split_untangled_states: bool = True,
        threads: int = 0,
    ) -> None:
        super().__init__(dtype=dtype, noise=noise, seed=seed, split_untangled_states=split_untangled_states)
        self._threads = threads

    def _run_options(self) -> RunOptions:
        options = RunOptions()
        options.method = "statevector"
        options.set_precision("single" if np.dtype(self._dtype) == np.complex64 else "double")
        options.set_limits(self._threads, None, None)
        return options

    def _base_iterator(self, circuit: Any, qubits: Any, initial_state: Any) -> Iterator[Any]:
        # Who asks for steps gets every one of them.
        steps: Iterator[Any] = super()._core_iterator(circuit, self._create_simulation_state(initial_state, qubits))
        return steps

    def _core_iterator(
        self, circuit: Any, sim_state: Any, all_measurements_are_terminal: bool = False
    ) -> Iterator[Any]:
        blocks = self._blocks(circuit)
        if blocks is None:
            yield from super()._core_iterator(circuit, sim_state, all_measurements_are_terminal)
            return
        for block in blocks:
            cirq.act_on(block, sim_state)
        yield self._create_step_result(sim_state)

    def _blocks(self, circuit: Any) -> list[Any] | None:
        """The circuit as one operation for each set of qubits that never meet; None if it is not ours to run."""
        if len(circuit) == 0 or self.noise is not cirq.NO_NOISE or np.dtype(self._dtype) not in _DTYPES:
            return None
        # Phases, which act on no qubit and which Cirq keeps apart.
        blocks = [operation for operation in circuit.all_operations() if not operation.qubits]
        try:
            for part in circuit.factorize() if self._split_untangled_states else [circuit]:
                qubits = sorted(part.all_qubits())
                if len(qubits) > _MOST_QUBITS:
                    return None
                operations = [operation for operation in part.all_operations() if operation.qubits]
                if operations:
                    blocks.append(_Block(written(operations, qubits), qubits, self._run_options()))
        except Error:
            return None  # something that is not unitary, or not of qubits
        return blocks

    def simulate_sweep_iter(
        self,
        program: Any,
        params: Any,
        qubit_order: Any = cirq.QubitOrder.DEFAULT,
        initial_state: Any = None,
    ) -> Iterator[Any]:
        """As of cirq.Simulator."""
        qubits = cirq.QubitOrder.as_qubit_order(qubit_order).order_for(program.all_qubits())
        resolvers = list(cirq.to_resolvers(params))
        for number, resolver in enumerate(resolvers):
            state = initial_state
            if isinstance(state, cirq.SimulationStateBase) and number < len(resolvers) - 1:
                state = state.copy()
            resolved = cirq.resolve_parameters(program, resolver)
            blocks = self._blocks(resolved)
            if blocks is None:
                yield from super().simulate_sweep_iter(program, resolver, qubit_order, state)
                continue
            sim_state = self._create_simulation_state(0 if state is None else state, qubits)
            for block in blocks:
                cirq.act_on(block, sim_state)
            yield self._create_simulator_trial_result(params=resolver, measurements={}, final_simulator_state=sim_state)

    def simulate_expectation_values_sweep_iter(
        self,
        program: Any,
        observables: Any,
        params: Any,
        qubit_order: Any = cirq.QubitOrder.DEFAULT,
        initial_state: Any = None,
        permit_terminal_measurements: bool = False,
    ) -> Iterator[list[float]]:
        """As of cirq.Simulator; without a prepared state and with real weights, no state leaves the simulator."""
        qubits = cirq.QubitOrder.as_qubit_order(qubit_order).order_for(program.all_qubits())
        wanted = [cirq.PauliSum.wrap(one) for one in (observables if isinstance(observables, list) else [observables])]
        asked = [_observable(one, qubits) for one in wanted]
        for resolver in cirq.to_resolvers(params):
            made = self._native(cirq.resolve_parameters(program, resolver), qubits) if initial_state is None else None
            if made is None or None in asked:
                yield from super().simulate_expectation_values_sweep_iter(
                    program, observables, resolver, qubit_order, initial_state, permit_terminal_measurements
                )
                continue
            options = self._run_options()
            options.observables = [one for one in asked if one is not None]
            yield list(_core.run_circuit(made, options, None).expectations)

    def _native(self, circuit: Any, qubits: Sequence[Any]) -> Circuit | None:
        if self.noise is not cirq.NO_NOISE or np.dtype(self._dtype) not in _DTYPES or len(qubits) > _MOST_QUBITS:
            return None
        try:
            return written(circuit.all_operations(), qubits)
        except Error:
            return None


class _Block(cirq.Operation):
    """Many operations as one, which Cirq applies to its state."""

    def __init__(self, made: Circuit, qubits: Sequence[Any], options: RunOptions) -> None:
        self._made, self._of, self._options = made, tuple(qubits), options

    @property
    def qubits(self) -> tuple[Any, ...]:
        return self._of

    def with_qubits(self, *new_qubits: Any) -> _Block:
        return _Block(self._made, new_qubits, self._options)

    def _has_unitary_(self) -> bool:
        return True

    def _apply_unitary_(self, args: Any) -> Any:
        """The state's other axes come first, and each slice of them is a state of its own."""
        count = len(self._of)
        tensor = np.moveaxis(args.target_tensor, args.axes, range(-count, 0))
        out = np.moveaxis(args.available_buffer, args.axes, range(-count, 0))
        for index in np.ndindex(tensor.shape[:-count]):
            # A slice has the norm of its part of the state.
            norm = np.linalg.norm(tensor[index])
            if norm == 0.0:
                out[index] = 0.0
                continue
            options = self._options.copy()
            options.set_initial_state(np.ascontiguousarray(tensor[index] / norm).ravel())
            options.want_state = True
            state = np.asarray(_core.run_circuit(self._made, options, None).state)
            out[index] = norm * state.reshape(tensor[index].shape)
        return args.available_buffer


def _observable(paulis: Any, qubits: Sequence[Any]) -> Observable | None:
    """As a sum with real weights, if it is one."""
    places = {qubit: len(qubits) - 1 - i for i, qubit in enumerate(qubits)}
    terms: list[tuple[str, list[int], float]] = []
    for term in paulis:
        weight = complex(term.coefficient)
        if weight.imag != 0.0 or not set(term.qubits) <= places.keys():
            return None
        letters = "".join(str(letter) for letter in term.values())
        terms.append((letters, [places[qubit] for qubit in term.keys()], weight.real))  # noqa: SIM118
    return Observable.from_sparse_list(terms, len(qubits))
