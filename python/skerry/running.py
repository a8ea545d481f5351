"""Planning and running whatever can be run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, Unpack, overload

from skerry import _core
from skerry._core import (
    Circuit,
    Model,
    NoiseModel,
    Observable,
    Plan,
    RunOptions,
    RunResult,
    Session,
    ShotStream,
)
from skerry.errors import InvalidArgument
from skerry.files import load
from skerry.parameters import ParameterBatch, Parameters, spread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Precision = Literal["single", "double"]
Listener = Callable[[float, str], object]
Gates = Sequence[Mapping[str, Any]]
Runnable = Circuit | Model | Gates | str | os.PathLike[str]

_USUAL_SHOTS = 1024  # as on the command line


class StreamKeywords(TypedDict, total=False):
    """Keywords of stream() that run() has too."""

    seed: int
    method: str
    precision: Precision
    threads: int
    max_memory_mb: float | None
    max_execution_time: float | None
    noise: NoiseModel | None
    disk: str | os.PathLike[str] | None
    checkpoint: bool


class Keywords(StreamKeywords, total=False):
    """Keywords that plan() and run() share."""

    shots: int
    observables: Sequence[Observable]
    inputs: Mapping[str, ArrayLike] | None
    amplitudes: Sequence[str]
    state: bool
    probabilities: bool | Sequence[int]
    memory: bool
    initial_state: ArrayLike | None
    max_bond_dimension: int
    truncation_threshold: float
    cutoff: int
    density: bool | Sequence[int]


def program_of(program: Runnable) -> Circuit | Model:
    """The program that is meant: itself, the file at a path, a list of gates."""
    if isinstance(program, Circuit | Model):
        return program
    if isinstance(program, str | os.PathLike):
        return load(program)
    return Circuit.from_gates(program)


def _circuit_options(
    *,
    shots: int = 0,
    seed: int = 0,
    method: str = "auto",
    precision: Precision = "double",
    threads: int = 0,
    max_memory_mb: float | None = None,
    max_execution_time: float | None = None,
    observables: Sequence[Observable] = (),
    inputs: Mapping[str, ArrayLike] | None = None,
    amplitudes: Sequence[str] = (),
    state: bool = False,
    probabilities: bool | Sequence[int] = False,
    memory: bool = False,
    initial_state: ArrayLike | None = None,
    max_bond_dimension: int = 0,
    truncation_threshold: float = 1e-24,
    cutoff: int = 0,
    noise: NoiseModel | None = None,
    density: bool | Sequence[int] = False,
    disk: str | os.PathLike[str] | None = None,
    checkpoint: bool = False,
) -> RunOptions:
    if inputs is not None:
        raise InvalidArgument("a circuit has no inputs", "inputs", "give its parameters as params")
    options = RunOptions()
    options.shots, options.seed, options.method = shots, seed, method
    options.set_precision(precision)
    options.set_limits(threads, max_memory_mb, max_execution_time)
    options.observables, options.amplitudes = list(observables), list(amplitudes)
    options.want_state, options.want_memory = state, memory
    options.max_bond_dimension, options.truncation_threshold = max_bond_dimension, truncation_threshold
    options.cutoff = cutoff
    if probabilities is not False:
        options.ask_probabilities([] if probabilities is True else list(probabilities))
    if density is not False:
        options.ask_density([] if density is True else list(density))
    if noise is not None:
        options.set_noise(noise)
    if disk is not None or checkpoint:
        options.set_disk("" if disk is None else os.fspath(disk), checkpoint)
    if initial_state is not None:
        options.set_initial_state(initial_state)
    return options


class _ModelRun(NamedTuple):
    session: Session
    inputs: dict[str, ArrayLike]


def _model_run(
    model: Model,
    *,
    inputs: Mapping[str, ArrayLike] | None = None,
    threads: int = 0,
    max_memory_mb: float | None = None,
    max_execution_time: float | None = None,
    seed: int = 0,
    **others: object,
) -> _ModelRun:
    if others:
        name = next(iter(others))
        raise InvalidArgument(f"a model does not take {name}", name, "it takes inputs, limits and a seed")
    session = model.session(
        threads=threads, max_memory_mb=max_memory_mb, max_execution_time=max_execution_time, seed=seed
    )
    return _ModelRun(session, dict(inputs or {}))


def plan(program: Runnable, *, params: Parameters = None, **keywords: Unpack[Keywords]) -> Plan:
    """What a run would take and where it would run; the keywords are those of run(). Nothing is allocated.

    Where nothing is asked of a circuit, the plan is for 1024 shots.

    A circuit's plan says in `refusal` whether it would be refused; a model's raises BudgetExceeded or DeadlineExceeded.

    >>> import skerry
    >>> plan = skerry.plan(skerry.Circuit(30), state=True, max_memory_mb=100)
    >>> "GiB" in plan.refusal
    True
    """
    program = program_of(program)
    if isinstance(program, Model):
        made = _model_run(program, **keywords)
        return made.session.plan(made.inputs)
    options = _circuit_options(**keywords)
    if not (
        options.shots
        or options.observables
        or options.amplitudes
        or options.want_state
        or options.want_probabilities
        or options.want_density
    ):
        options.shots = _USUAL_SHOTS
    spread(options, params)
    return _core.plan_circuit(program, options)


@overload
def run(
    program: Runnable, *, params: Parameters = ..., progress: Listener | None = ..., **keywords: Unpack[Keywords]
) -> RunResult: ...
@overload
def run(
    program: Runnable, *, params: ParameterBatch, progress: Listener | None = ..., **keywords: Unpack[Keywords]
) -> list[RunResult]: ...
@overload
def run(
    program: Runnable, *, params: NDArray[Any], progress: Listener | None = ..., **keywords: Unpack[Keywords]
) -> Any: ...
def run(
    program: Runnable,
    *,
    params: Parameters | ParameterBatch | NDArray[Any] = None,
    progress: Listener | None = None,
    **keywords: Unpack[Keywords],
) -> RunResult | list[RunResult]:
    """Runs a circuit, a model, the file at a path, or a list of gate dicts. Ctrl-C stops it.

    Of a circuit: `shots` samples with `seed` (same seed, same counts, for any number of threads), else exact results
    only; `method` of simulation, or `auto`; `precision` of amplitudes, `single` or `double`; `params` in order of
    declaration, or by name, or [batch, P], which gives a list of results, each as if its row had been run alone;
    `observables`; `amplitudes` of basis states, text with qubit 0 rightmost; `state=True`; `probabilities=True`, or of
    the qubits listed; `memory=True` for each shot's bits; `initial_state`, complex64 or complex128 [2^n]; `noise`, a
    NoiseModel; `density=True` for the density matrix, or that of the qubits listed; for method `mps`,
    `max_bond_dimension` (0: as wide as needed) and `truncation_threshold`, the squared norm that one cut may lose, with
    the result's `error_bound`; `disk`, a folder for a state vector that does not fit into the memory; `checkpoint=True`
    keeps it there so that the same run, killed at any moment and started again, goes on after its last whole pass. Of a
    circuit over optical modes: `cutoff`, the photon numbers kept of each (0: what the circuit says, else 10); `outputs`
    of the result hold `x`, `p`, `n`, their variances and `samples`, `discarded_weight` what the cutoff lost. Of a
    model: `inputs` by name, and the `seed` of what it draws at random. Of both: `threads` (0: all that the process may
    use), `max_memory_mb` (10^6 bytes), `max_execution_time` in seconds, `progress(fraction, stage)`.

    >>> import skerry
    >>> theta = skerry.Parameter("theta")
    >>> circuit = skerry.Circuit(1).rx(theta, 0)
    >>> z = skerry.Observable.parse("Z0", 1)
    >>> [round(r.expectations[0], 6) for r in skerry.run(circuit, params=[[0.0], [3.141592653589793]], observables=[z])]
    [1.0, -1.0]

    Errors: skerry.Error of the kinds that errors.py lists, before anything is allocated where that is possible.
    """
    program = program_of(program)
    if isinstance(program, Model):
        if params is not None:
            raise InvalidArgument("a model does not take params", "params", "it takes inputs")
        made = _model_run(program, **keywords)
        return made.session.run_with_report(made.inputs, progress)
    options = _circuit_options(**keywords)
    batch = spread(options, params)
    if batch is None:
        return _core.run_circuit(program, options, progress)
    return [_core.run_circuit(program, one, progress) for one in batch]


def stream(
    program: Circuit | Gates | str | os.PathLike[str],
    *,
    shots: int,
    params: Parameters = None,
    chunk: int = 65536,
    progress: Listener | None = None,
    **keywords: Unpack[StreamKeywords],
) -> ShotStream:
    """The shots of a circuit as an iterator over arrays, uint64 [chunk, ceil(bits / 64)], bit 0 least significant.

    Memory does not depend on the number of shots. With method `statevector` they are those of
    run(..., memory=True).samples for the same seed.

    >>> import skerry
    >>> bell = skerry.Circuit(2).h(0).cx(0, 1)
    >>> ones = sum(int((part == 3).sum()) for part in skerry.stream(bell, shots=200_000, seed=7))
    >>> 99_000 < ones < 101_000
    True
    """
    circuit = program_of(program)
    if isinstance(circuit, Model):
        raise InvalidArgument("a model has no shots", "program", "give a circuit")
    options = _circuit_options(shots=shots, **keywords)
    if spread(options, params) is not None:
        raise InvalidArgument("a batch of parameters", "params", "stream one row after the other")
    return ShotStream(circuit, options, chunk, progress)
