"""What a tape asks for, from what a run gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pennylane as qp
from numpy.typing import NDArray
from pennylane.devices.qubit.measure import measure
from pennylane.measurements import ExpectationMP, MeasurementProcess, ProbabilityMP, Shots
from pennylane.tape import QuantumScript

from skerry import _core
from skerry._core import Observable, RunOptions
from skerry.pennylane.gates import Writer

# Weights of Hermitian observables are real; what is left of the imaginary parts is rounding.
_TINY = 1e-12


def observable_of(operator: Any, num_wires: int) -> Observable | None:
    """As a sum of Pauli strings, if it is one with real weights."""
    sentence = operator.pauli_rep
    if sentence is None:
        return None
    terms: list[tuple[str, list[int], float]] = []
    for word, weight in sentence.items():
        number = complex(qp.math.toarray(weight))
        if abs(number.imag) > _TINY:
            return None
        terms.append(("".join(word.values()), [num_wires - 1 - wire for wire in word], number.real))
    return Observable.from_sparse_list(terms, num_wires)


def written(tape: QuantumScript, num_wires: int, options: RunOptions, more: Sequence[Any] = ()) -> Writer:
    """The tape's operators and some more; a prepared state becomes the run's initial one."""
    writer = Writer(num_wires)
    operations = tape.operations
    if operations and isinstance(operations[0], qp.operation.StatePrepBase):
        state = operations[0].state_vector(wire_order=range(num_wires))
        options.set_initial_state(np.ascontiguousarray(qp.math.toarray(state), dtype=np.complex128).ravel())
        operations = operations[1:]
    for operation in (*operations, *more):
        writer.add(operation)
    return writer


def exact(tape: QuantumScript, num_wires: int, options: RunOptions) -> Any:
    """Answers of a tape without shots."""
    writer = written(tape, num_wires, options)
    plans = [_plan(mp, num_wires) for mp in tape.measurements]
    options.observables = [plan for plan in plans if isinstance(plan, Observable)]
    wanted = [tuple(plan) for plan in plans if isinstance(plan, list)]
    options.want_state = None in plans or len(set(wanted)) > 1
    if wanted and not options.want_state:
        options.ask_probabilities(list(wanted[0]))
    run = _core.run_circuit(writer.circuit, options, None)
    expectations = iter(run.expectations)
    answers: list[Any] = []
    for mp, plan in zip(tape.measurements, plans, strict=True):
        if isinstance(plan, Observable):
            answers.append(np.float64(next(expectations)))
        elif plan is not None and run.state is None:
            answers.append(np.array(run.probabilities))
        elif plan is not None and run.state is not None:
            answers.append(run.state.probabilities(plan))
        else:
            state = np.array(run.state, dtype=np.complex128).reshape((2,) * num_wires)
            answers.append(measure(mp, state))
    return answers[0] if len(answers) == 1 else tuple(answers)


def _plan(mp: MeasurementProcess, num_wires: int) -> Observable | list[int] | None:
    """An observable, the qubits of a distribution, or nothing: then it is worked out from the state."""
    if isinstance(mp, ExpectationMP) and mp.obs is not None:
        return observable_of(mp.obs, num_wires)
    if type(mp) is ProbabilityMP and mp.obs is None and mp.mv is None and mp._eigvals is None:
        wires = list(mp.wires) or list(range(num_wires))
        return [num_wires - 1 - wire for wire in reversed(wires)]
    return None


def sampled(tape: QuantumScript, num_wires: int, options: RunOptions) -> Any:
    """Answers of a tape from shots: all of its measurements from the same ones, which the tape's preparation allows."""
    writer = written(tape, num_wires, options, tape.diagonalizing_gates)
    options.shots, options.want_memory = tape.shots.total_shots, True
    run = _core.run_circuit(writer.circuit, options, None)
    samples = _columns(run.samples, num_wires)
    if not tape.shots.has_partitioned_shots:
        return _processed(tape, samples, num_wires)
    return tuple(_processed(tape, samples[low:high], num_wires) for low, high in _bins(tape.shots))


def _bins(shots: Shots) -> list[tuple[int, int]]:
    return list(shots.bins())


def _columns(samples: NDArray[np.uint64], num_wires: int) -> NDArray[np.int64]:
    """[shots, wires] of 0 and 1; wire 0 is the highest qubit."""
    octets = np.ascontiguousarray(samples.astype("<u8")).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, bitorder="little", count=num_wires)
    return bits[:, ::-1].astype(np.int64)


def _processed(tape: QuantumScript, samples: NDArray[np.int64], num_wires: int) -> Any:
    order = qp.wires.Wires(range(num_wires))
    answers = tuple(mp.process_samples(samples, order) for mp in tape.measurements)
    return answers[0] if len(answers) == 1 else answers
