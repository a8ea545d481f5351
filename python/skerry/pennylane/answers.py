"""What a tape asks for, from what a run gives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pennylane as qp
from numpy.typing import NDArray
from pennylane.devices.qubit.measure import measure
from pennylane.measurements import (
    CountsMP,
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMP,
    Shots,
    VarianceMP,
)
from pennylane.ops import MidMeasure
from pennylane.tape import QuantumScript
from pennylane.transforms.dynamic_one_shot import fill_in_value, gather_mcm

from skerry import _core
from skerry._core import Circuit, Observable, RunOptions
from skerry.pennylane.gates import Writer, is_batchable

# Methods that leave no state vector.
_STATELESS = ("density", "stabilizer", "tensor_network")
# Weights of Hermitian observables are real; what is left of the imaginary parts is rounding.
_TINY = 1e-12


def observable_of(operator: Any, num_wires: int, flag: int | None = None) -> Observable | None:
    """As a sum of Pauli strings, if it is one with real weights. flag: times a further qubit's projector on 1."""
    return None if operator.pauli_rep is None else _of_sentence(operator.pauli_rep, num_wires, flag)


def _of_sentence(sentence: Any, num_wires: int, flag: int | None = None) -> Observable | None:
    terms: list[tuple[str, list[int], float]] = []
    for word, weight in sentence.items():
        number = complex(qp.math.toarray(weight))
        if abs(number.imag) > _TINY:
            return None
        letters, qubits = "".join(word.values()), [num_wires - 1 - wire for wire in word]
        if flag is None:
            terms.append((letters, qubits, number.real))
        else:  # (1 - Z) / 2
            terms.append((letters, qubits, number.real / 2))
            terms.append((letters + "Z", [*qubits, flag], -number.real / 2))
    return Observable.from_sparse_list(terms, num_wires + (flag is not None))


def begun(tape: QuantumScript, num_wires: int, options: RunOptions, *, has_flag: bool = False) -> Sequence[Any]:
    """The tape's operators without a prepared state, which becomes the run's initial one. has_flag: a further qubit,
    the highest, is 1 in it."""
    operations: list[Any] = tape.operations
    if not operations or not isinstance(operations[0], qp.operation.StatePrepBase):
        return operations
    state = operations[0].state_vector(wire_order=range(num_wires))
    amplitudes = np.ascontiguousarray(qp.math.toarray(state), dtype=np.complex128).ravel()
    options.set_initial_state(np.concatenate([np.zeros_like(amplitudes), amplitudes]) if has_flag else amplitudes)
    return operations[1:]


def exact(tape: QuantumScript, num_wires: int, options: RunOptions) -> Any:
    """Answers of a tape without shots."""
    writer = Writer(num_wires)
    for operation in begun(tape, num_wires, options):
        writer.add(operation)
    return _exact(tape, writer.circuit, num_wires, options)


def takes_exactly(mp: MeasurementProcess) -> bool:
    """Can it be told without shots of a tape that measures midway? From means and distributions over all outcomes."""
    if mp.mv is not None:
        return isinstance(mp, ExpectationMP | VarianceMP | ProbabilityMP)
    return _is_distribution(mp) or (
        isinstance(mp, ExpectationMP) and mp.obs is not None and mp.obs.pauli_rep is not None
    )


def exact_midway(tape: QuantumScript, num_wires: int, options: RunOptions) -> Any:
    """Answers without shots of a tape that measures midway: means over all ways that its outcomes may go.

    Postselection: a further qubit is 1 until an outcome fails; answers are those together with it at 1, over the
    probability that it is. Where that is 0 they are no numbers.
    """
    measured = measured_midway(tape)
    flag = num_wires if any(one.postselect is not None for one in measured) else None
    writer = Writer(num_wires, measured, flag=flag)
    operations = begun(tape, num_wires, options, has_flag=flag is not None)
    if flag is not None and operations is tape.operations:
        writer.circuit.x(flag)
    for operation in operations:
        writer.add(operation)
    writer.keep_midway()
    plans = [_plan(mp, num_wires, flag) for mp in tape.measurements]
    means = options.copy()
    means.observables = [plan for plan in plans if isinstance(plan, Observable)]
    expectations = iter(_core.run_circuit(writer.circuit, means, None).expectations if means.observables else ())
    distributions: dict[tuple[int, ...], NDArray[np.float64]] = {}

    def distribution(qubits: Sequence[int]) -> NDArray[np.float64]:
        """Over qubits, or over the bits of the outcomes if none are named."""
        if tuple(qubits) not in distributions:
            own = options.copy()
            own.ask_probabilities(list(qubits))
            distributions[tuple(qubits)] = np.array(_core.run_circuit(writer.circuit, own, None).probabilities)
        return distributions[tuple(qubits)]

    def kept(chances: NDArray[np.float64]) -> NDArray[np.float64]:
        return chances if flag is None else chances[len(chances) // 2 :]

    share = 1.0 if flag is None else kept(distribution([flag]))[0]
    answers: list[Any] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for mp, plan in zip(tape.measurements, plans, strict=True):
            if mp.mv is not None:
                answers.append(_of_outcomes(mp, measured, _selected(measured, distribution(()))))
            elif isinstance(plan, list):
                answers.append(kept(distribution(plan if flag is None else [*plan, flag])) / share)
            else:
                answers.append(np.float64(next(expectations)) / share)
    return answers[0] if len(answers) == 1 else tuple(answers)


def _selected(measured: Sequence[MidMeasure], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distribution over the outcomes that pass the postselection, bit i of a place being the outcome i."""
    places = np.arange(len(chances))
    passes = np.ones(len(chances), dtype=bool)
    for bit, measurement in enumerate(measured):
        if measurement.postselect is not None:
            passes &= (places >> bit & 1) == measurement.postselect
    if passes.all():
        return chances
    left: NDArray[np.float64] = np.where(passes, chances, 0.0) / chances[passes].sum()
    return left


def _of_outcomes(mp: Any, measured: Sequence[MidMeasure], chances: NDArray[np.float64]) -> Any:
    """Mean, variance or distribution of values of outcomes; bit i of a place in `chances` is the outcome i."""
    places = np.arange(len(chances))
    columns = {measurement: places >> bit & 1 for bit, measurement in enumerate(measured)}
    asked = list(mp.mv) if isinstance(mp.mv, list | tuple) else [mp.mv]
    values = [np.broadcast_to(np.asarray(one.concretize(columns), dtype=np.float64), len(chances)) for one in asked]
    if isinstance(mp, ProbabilityMP):
        table = []
        for wanted in itertools.product(*(one.branches.values() for one in asked)):
            holds = [value == want for value, want in zip(values, wanted, strict=True)]
            table.append(chances[np.logical_and.reduce(holds)].sum())
        return np.array(table)
    mean = chances @ values[0]
    return np.float64(mean if isinstance(mp, ExpectationMP) else chances @ (values[0] - mean) ** 2)


def exact_batch(tape: QuantumScript, num_wires: int, options: RunOptions) -> Any:
    """The same of a tape with batches of angles: one circuit for all of its rows."""
    writer = Writer(num_wires)
    rows = np.stack(write_symbols(writer, begun(tape, num_wires, options), tape.batch_size), axis=1)
    answers = []
    for row in rows.tolist():
        own = options.copy()
        own.parameters = row
        answers.append(_exact(tape, writer.circuit, num_wires, own))
    if len(tape.measurements) == 1:
        return np.stack(answers)
    return tuple(np.stack(column) for column in zip(*answers, strict=True))


def write_symbols(writer: Writer, operations: Sequence[Any], batch_size: int | None) -> list[NDArray[np.float64]]:
    """Writes operators with symbols in the place of angles, and gives the column of values of each symbol."""
    columns: list[NDArray[np.float64]] = []
    for operation in operations:
        if not is_batchable(operation):
            writer.add(operation)
            continue
        writer.add_with_symbols(operation, len(columns))
        for value in operation.data:
            column = np.asarray(qp.math.toarray(value), dtype=np.float64)
            columns.append(np.broadcast_to(column, (batch_size or 1,)))
    return columns


def _exact(tape: QuantumScript, circuit: Circuit, num_wires: int, options: RunOptions) -> Any:
    if options.method in _STATELESS:
        found = tuple(_without_state(mp, circuit, num_wires, options.copy()) for mp in tape.measurements)
        return found[0] if len(found) == 1 else found
    plans = [_plan(mp, num_wires) for mp in tape.measurements]
    options.observables = [plan for plan in plans if isinstance(plan, Observable)]
    wanted = [tuple(plan) for plan in plans if isinstance(plan, list)]
    options.want_state = None in plans or len(set(wanted)) > 1
    if wanted and not options.want_state:
        options.ask_probabilities(list(wanted[0]))
    run = _core.run_circuit(circuit, options, None)
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


def _without_state(mp: MeasurementProcess, circuit: Circuit, num_wires: int, options: RunOptions) -> Any:
    """One answer by a run of its own. A variance is the mean of the square less the square of the mean."""
    plan = _plan(mp, num_wires)
    sentence = mp.obs.pauli_rep if isinstance(mp, VarianceMP) and mp.obs is not None else None
    if isinstance(plan, list):
        options.ask_probabilities(plan)
        return np.array(_core.run_circuit(circuit, options, None).probabilities)
    asked = [plan] if sentence is None else [_of_sentence(one, num_wires) for one in (sentence, sentence @ sentence)]
    options.observables = [one for one in asked if isinstance(one, Observable)]
    options.want_state = len(options.observables) < len(asked)  # which the run refuses, and says why
    means = _core.run_circuit(circuit, options, None).expectations
    return np.float64(means[0] if sentence is None else means[1] - means[0] ** 2)


def _plan(mp: MeasurementProcess, num_wires: int, flag: int | None = None) -> Observable | list[int] | None:
    """An observable, the qubits of a distribution, or nothing: then it is worked out from the state."""
    if isinstance(mp, ExpectationMP) and mp.obs is not None:
        return observable_of(mp.obs, num_wires, flag)
    if _is_distribution(mp):
        wires = list(mp.wires) or list(range(num_wires))
        return [num_wires - 1 - wire for wire in reversed(wires)]
    return None


def _is_distribution(mp: MeasurementProcess) -> bool:
    return type(mp) is ProbabilityMP and mp.obs is None and mp.mv is None and mp._eigvals is None


def sampled(tape: QuantumScript, num_wires: int, options: RunOptions, pads: bool = False) -> Any:
    """Answers of a tape from shots: all of its measurements from the same ones, which the tape's preparation allows.

    Measurements midway are made as they stand, each shot by itself; those that fail a postselection are left out. pads:
    samples have a row for each shot nevertheless, of PennyLane's number for none, as compiled functions need.
    """
    measured = measured_midway(tape)
    writer = Writer(num_wires, measured, num_wires if measured else 0)
    for operation in (*begun(tape, num_wires, options), *tape.diagonalizing_gates):
        writer.add(operation)
    if measured:
        for qubit in range(num_wires):
            writer.circuit.measure(qubit, len(measured) + qubit)
    options.shots, options.want_memory = tape.shots.total_shots, True
    bits = _columns(_core.run_circuit(writer.circuit, options, None).samples, len(measured) + num_wires)
    outcomes, samples = bits[:, : len(measured)], bits[:, len(measured) :][:, ::-1]
    answers = tuple(
        _processed(tape, measured, outcomes[low:high], samples[low:high], num_wires, pads)
        for low, high in _bins(tape.shots)
    )
    return answers if tape.shots.has_partitioned_shots else answers[0]


def sampled_batch(tape: QuantumScript, num_wires: int, options: RunOptions) -> Any:
    """The same of a tape with batches of angles: one circuit for all of its rows, each with shots of its own."""
    writer = Writer(num_wires)
    columns = write_symbols(writer, begun(tape, num_wires, options), tape.batch_size)
    for operation in tape.diagonalizing_gates:
        writer.add(operation)
    options.shots, options.want_memory = tape.shots.total_shots, True
    answers: list[list[list[Any]]] = []  # [rows][bins][measurements]
    for number, row in enumerate(np.stack(columns, axis=1).tolist()):
        own = options.copy()
        own.parameters, own.seed = row, options.seed + number
        samples = _columns(_core.run_circuit(writer.circuit, own, None).samples, num_wires)[:, ::-1]
        order = qp.wires.Wires(range(num_wires))
        answers.append(
            [
                [mp.process_samples(samples[low:high], order) for mp in tape.measurements]
                for low, high in _bins(tape.shots)
            ]
        )
    together = [tuple(map(np.stack, zip(*bins, strict=True))) for bins in zip(*answers, strict=True)]
    found = tuple(one[0] if len(one) == 1 else one for one in together)
    return found if tape.shots.has_partitioned_shots else found[0]


def measured_midway(tape: QuantumScript) -> list[MidMeasure]:
    """The tape's measurements midway, in order."""
    return [operation for operation in tape.operations if isinstance(operation, MidMeasure)]


def _bins(shots: Shots) -> list[tuple[int, int]]:
    return list(shots.bins())


def _columns(samples: NDArray[np.uint64], num_bits: int) -> NDArray[np.int64]:
    """[shots, bits] of 0 and 1, bit 0 first."""
    octets = np.ascontiguousarray(samples.astype("<u8")).view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little", count=num_bits).astype(np.int64)


def _processed(
    tape: QuantumScript,
    measured: Sequence[MidMeasure],
    outcomes: NDArray[np.int64],
    samples: NDArray[np.int64],
    num_wires: int,
    pads: bool,
) -> Any:
    """Answers from outcomes [shots, measurements midway] and samples [shots, wires], wire 0 being the highest qubit."""
    order = qp.wires.Wires(range(num_wires))
    valid = np.ones(len(samples), dtype=bool)
    for place, measurement in enumerate(measured):
        if measurement.postselect is not None:
            valid &= outcomes[:, place] == measurement.postselect
    if not valid.all():
        outcomes, samples = outcomes[valid], samples[valid]
    columns = {measurement: outcomes[:, place : place + 1] for place, measurement in enumerate(measured)}
    kept = np.ones(len(samples), dtype=bool)
    answers: list[Any] = []
    for mp in tape.measurements:
        if measured and not len(samples):
            answers.append(_undefined(mp, num_wires))
        elif mp.mv is not None:
            answers.append(gather_mcm(mp, columns, kept))
        else:
            answers.append(mp.process_samples(samples, order))
        if pads and isinstance(mp, SampleMP) and not valid.all():
            found = answers.pop() if len(samples) else np.empty(0, dtype=np.int64)
            answers.append(np.full((len(valid), *found.shape[1:]), fill_in_value, dtype=found.dtype))
            answers[-1][valid] = found
    return answers[0] if len(answers) == 1 else tuple(answers)


def _undefined(mp: MeasurementProcess, num_wires: int) -> Any:
    """The answer where no shot is left."""
    if isinstance(mp, CountsMP):
        return {}
    if not isinstance(mp, ProbabilityMP):
        return np.nan
    if mp.mv is not None:
        outcomes = [len(one.branches) for one in (mp.mv if isinstance(mp.mv, list | tuple) else [mp.mv])]
        return np.full(int(np.prod(outcomes)), np.nan)
    return np.full(2 ** (len(mp.wires) or num_wires), np.nan)
