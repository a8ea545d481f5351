"""Edge execution: circuits and models run inside a budget: here, in pieces, or at an endpoint.

>>> from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager
>>> with EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=128)) as manager:
...     result = manager.compile_and_execute(
...         [
...             {"type": "single_qubit", "gate": "H", "qubit": 0},
...             {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1},
...         ],
...         {"shots": 1000, "seed": 7},
...     )
>>> result.success, result.execution_method, sum(result.counts.values())
(True, 'edge', 1000)
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skerry import _core
from skerry._core import (
    Circuit,
    CompiledCircuit,
    DoctorStep,
    Model,
    Observable,
    OutboxEntry,
    PartReport,
    Placement,
    Resources,
    RunOptions,
)
from skerry.errors import InvalidArgument, NotFound, Unavailable
from skerry.files import load, loads
from skerry.parameters import spread
from skerry.running import Precision

CircuitLike = Circuit | Sequence[Mapping[str, Any]] | str | os.PathLike[str]
ProgramLike = CircuitLike | Model
InputData = Mapping[str, Any]
ExecutionMethod = Literal["edge", "cloud", "hybrid"]

_RESERVED = ("parameters", "initial_state", "shots", "seed", "observables")


def _config(settings: dict[str, Any]) -> EdgeExecutionConfig:
    """From a pickle."""
    return EdgeExecutionConfig(**settings)


@dataclass(frozen=True, kw_only=True)
class EdgeExecutionConfig:
    """What one execution on this machine may take, what is kept between executions, and who else may run it.

    max_memory_mb: megabytes (10^6 bytes), checked before anything is allocated; 0 means that nothing runs here.
    max_execution_time: seconds; predicted longer goes elsewhere, an overrun is stopped. enable_compression: of saved
    and cached packages; and a circuit that nobody can run as it is runs here in single precision, half the bytes, which
    `placement.compressed` tells. enable_caching: off, nothing is ever found again. cache_size_mb: bound of the compiled
    circuits kept, and again of results. cache_folder: compiled circuits shared by processes; empty: this process alone.
    threads: 0 takes the process's budget. max_cuts: of gates and wires, to run in pieces what does not fit whole.
    fallback_to_cloud: what does not fit here is run at cloud_endpoint (`https://host:port` of a `skerry serve`) within
    cloud_timeout seconds, repetitions included. cloud_api_key: a bearer token. cloud_authorities: PEM of who signs the
    endpoint's certificate; cloud_certificate, cloud_key: PEM of this client. outbox_folder: where runs wait whose
    endpoint cannot be reached, up to outbox_size_mb with their answers. Errors: InvalidArgument naming the field.
    """

    max_memory_mb: float = 512.0
    max_execution_time: float = 60.0
    enable_compression: bool = True
    enable_caching: bool = True
    cache_size_mb: float = 64.0
    cache_folder: str | os.PathLike[str] = ""
    threads: int = 0
    precision: Precision = "double"
    max_cuts: int = 6
    fallback_to_cloud: bool = True
    cloud_endpoint: str | None = None
    cloud_timeout: float = 60.0
    cloud_api_key: str = field(default="", repr=False)
    cloud_authorities: str | os.PathLike[str] = ""
    cloud_certificate: str | os.PathLike[str] = ""
    cloud_key: str | os.PathLike[str] = ""
    outbox_folder: str | os.PathLike[str] = ""
    outbox_size_mb: float = 64.0
    native: _core.EdgeConfig = field(init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _config, ({one.name: getattr(self, one.name) for one in fields(self) if one.init},)

    def __post_init__(self) -> None:
        native = _core.EdgeConfig()
        for one in fields(self):
            if one.name == "native":
                continue
            value = getattr(self, one.name)
            if isinstance(value, bool) != (one.type == "bool"):
                raise InvalidArgument(f"{one.name} is {value!r}", one.name, f"give a {one.type}")
            try:
                setattr(
                    native,
                    one.name,
                    os.fspath(value) if isinstance(value, os.PathLike) else "" if value is None else value,
                )
            except TypeError as error:
                raise InvalidArgument(f"{one.name} is {value!r}", one.name, f"give a {one.type}") from error
        native.validate()
        object.__setattr__(self, "native", native)


@dataclass(frozen=True)
class ExecutionResult:
    """What an execution gave, where it ran and what it took. An execution that fails raises instead."""

    circuit_id: str
    execution_method: ExecutionMethod
    execution_time: float
    """Wall seconds of this execution."""
    memory_used: float
    """Megabytes (10^6 bytes) held at most at once, measured."""
    from_cache: bool
    simulator: str
    counts: dict[str, int]
    """Bit string -> how often, highest bit leftmost; empty without shots."""
    state: NDArray[Any] | None
    """The amplitudes, a view of where the simulator left them; when neither shots nor observables were asked for."""
    expectations: list[float]
    placement: Placement
    """What was decided, why, and what happened on the way; str() tells it in some lines."""
    outputs: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Of a model, by name."""
    parts: list[PartReport] = field(default_factory=list)
    """Of a model's run, in order: where each was, its seconds, and the bytes that it sent and received."""
    success: bool = True
    error: str | None = None


def _program(program: ProgramLike) -> Circuit | Model:
    if isinstance(program, Circuit | Model):
        return program
    if isinstance(program, str | os.PathLike):
        text = os.fspath(program)
        return loads(text) if "\n" in text or ";" in text else load(text)
    if isinstance(program, Mapping) or not isinstance(program, Iterable):
        raise InvalidArgument(
            f"the circuit is {_told(program)}",
            "circuit",
            "give a Circuit, a list of gates, OpenQASM text or the path of a file",
        )
    return Circuit.from_gates(program)


def _circuit(circuit: CircuitLike) -> Circuit:
    program = _program(circuit)
    if not isinstance(program, Circuit):
        raise InvalidArgument("the program is a model, not a circuit", "circuit", "give it to execute_model()")
    return program


def _model(model: Model | str | os.PathLike[str]) -> Model:
    program = _program(model)
    if not isinstance(program, Model):
        raise InvalidArgument("the program is a circuit, not a model", "model", "compile it and give it to execute()")
    return program


def _told(value: object) -> str:
    text = repr(value)
    return f"{text[:40]}..." if len(text) > 43 else text


def _whole(data: InputData, name: str) -> int | None:
    """A number from 0 on that fits 64 bits. Errors: InvalidArgument naming it."""
    value = data.get(name)
    if value is None:
        return None
    whole = None if isinstance(value, bool) or not hasattr(value, "__index__") else operator.index(value)
    if whole is None or not 0 <= whole < 2**64:
        raise InvalidArgument(f"{name} is {_told(value)}", name, "give a whole number from 0 to 2**64 - 1")
    return whole


def _data(input_data: InputData | None) -> InputData:
    if input_data is None:
        return {}
    if not isinstance(input_data, Mapping):
        raise InvalidArgument(
            f"input_data is {_told(input_data)}", "input_data", "give a dict: parameters by name, shots, observables"
        )
    return input_data


class CircuitCompiler:
    """Compiles circuits and keeps them by their content; from any thread."""

    def __init__(self, config: EdgeExecutionConfig | None = None) -> None:
        self.config = config or EdgeExecutionConfig()
        self.native = _core.EdgeCompiler(self.config.native)

    def compile_circuit(self, circuit: CircuitLike, optimization_level: str = "medium") -> CompiledCircuit:
        """level: low, medium or high. A list of gates, OpenQASM text, a Circuit or a file's path."""
        if not isinstance(optimization_level, str):
            raise InvalidArgument(
                f"optimization_level is {_told(optimization_level)}", "optimization_level", "give low, medium or high"
            )
        return self.native.compile(_circuit(circuit), optimization_level)

    def get_compiled_circuit(self, circuit_id: str) -> CompiledCircuit:
        """Errors: KeyError with the id."""
        try:
            return self.native.get(circuit_id)
        except NotFound as error:
            raise KeyError(circuit_id) from error

    def save_compiled_circuit(self, circuit_id: str, path: str | os.PathLike[str]) -> None:
        """Writes a package that any process and machine can load, atomically. Errors: KeyError with the id."""
        self.get_compiled_circuit(circuit_id)
        self.native.save(circuit_id, os.fspath(path))

    def load_compiled_circuit(self, path: str | os.PathLike[str]) -> CompiledCircuit:
        """The circuit keeps the id that it was saved under. Errors: Corrupt, VersionTooNew, NotFound."""
        return self.native.load(os.fspath(path))

    @property
    def compiled_circuits(self) -> dict[str, CompiledCircuit]:
        """Everything that is kept, by id."""
        return {compiled.circuit_id: compiled for compiled in self.native.all()}

    @property
    def compilation_cache(self) -> CompilationCache:
        """The store itself: its size, and the way to empty it."""
        return CompilationCache(self)

    def get_compilation_statistics(self) -> dict[str, float]:
        """Live counters; `average_memory_estimate` in megabytes, over what is kept."""
        now = self.native.statistics()
        return {
            "total_compiled_circuits": now.compiled_circuits,
            "cache_hit_rate": now.hit_rate,
            "average_memory_estimate": now.average_estimated_bytes / 1e6,
        }


class CompilationCache:
    """The compiled circuits that a compiler keeps; len() counts them, `in` asks for an id."""

    def __init__(self, compiler: CircuitCompiler) -> None:
        self._compiler = compiler

    def __len__(self) -> int:
        return self._compiler.native.statistics().cached_circuits

    def __iter__(self) -> Iterator[str]:
        return iter(self._compiler.compiled_circuits)

    def __contains__(self, circuit_id: object) -> bool:
        return circuit_id in self._compiler.compiled_circuits

    @property
    def bytes(self) -> int:
        """Never more than cache_size_mb."""
        return self._compiler.native.statistics().cached_bytes

    def clear(self) -> None:
        """Forgets everything that is kept in this process."""
        self._compiler.native.clear_cache()


def _run_options(num_qubits: int, data: InputData) -> tuple[RunOptions, NDArray[np.float64] | None]:
    """Options, and rows of parameters where there is a batch of them."""
    options = RunOptions()
    named = {name: value for name, value in data.items() if name not in _RESERVED}
    if named and "parameters" in data:
        raise InvalidArgument(f"{', '.join(named)} beside 'parameters'", "input_data", "give one of the two")
    options.shots = _whole(data, "shots") or 0
    options.observables = [
        one if isinstance(one, Observable) else Observable.parse(str(one), num_qubits)
        for one in data.get("observables", ())
    ]
    if data.get("initial_state") is not None:
        options.set_initial_state(np.asarray(data["initial_state"], np.complex128))
    values = named or data.get("parameters")
    if values is not None and not isinstance(values, Mapping) and np.ndim(values) == 2:
        return options, np.ascontiguousarray(values, dtype=np.float64)
    spread(options, values)
    return options, None


def _result(done: _core.Execution) -> ExecutionResult:
    if done.kept_as:
        raise JobKept(done.why, done.where, "outbox.send() sends it once the endpoint answers", done.kept_as)
    return ExecutionResult(
        circuit_id=done.circuit_id,
        execution_method=done.method,  # type: ignore[arg-type]
        execution_time=done.seconds,
        memory_used=done.memory_bytes / 1e6,
        from_cache=done.from_cache,
        simulator=done.simulator,
        counts=done.counts,
        state=None if done.state is None else np.asarray(done.state),
        expectations=done.expectations,
        placement=done.placement,
        outputs=done.outputs,
        parts=done.parts,
    )


class JobKept(Unavailable):
    """The endpoint could not be reached, and the run waits in the outbox."""

    def __init__(self, message: str, where: str = "", hint: str = "", id: str = "") -> None:
        super().__init__(message, where, hint)
        self.id = id
        """Of the entry."""

    def __reduce__(self) -> Any:
        return type(self), (self.message, self.where, self.hint, self.id)


class Outbox:
    """A folder of runs that wait for `cloud_endpoint`, and of their answers; for several processes at once.

    An entry is on the disk, whole, before anything is told of it. It is sent under its id as a token, so that an
    endpoint that remembers the job runs it once, whoever is killed when.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     config = EdgeExecutionConfig(cloud_endpoint="http://127.0.0.1:1", outbox_folder=folder)
    ...     outbox = Outbox(config)
    ...     entry = outbox.keep(CircuitCompiler(config).compile_circuit([{"gate": "H", "qubit": 0}]))
    ...     [(one.id == entry, one.state) for one in outbox.entries()]
    [(True, 'waiting')]
    """

    def __init__(self, config: EdgeExecutionConfig) -> None:
        self.config = config
        self._native = _core.NativeOutbox(config.native)

    def keep(self, compiled: CompiledCircuit, input_data: InputData | None = None) -> str:
        """Keeps a run for later without trying it now: its id, or that of the same question that waits already.

        Errors: InvalidArgument (a batch; no endpoint, or fallback_to_cloud is off), LimitExceeded (outbox_size_mb).
        """
        data = _data(input_data)
        options, rows = _run_options(compiled.num_qubits, data)
        if rows is not None:
            raise InvalidArgument("a batch is not one run", "parameters", "keep each row")
        return self._native.keep(compiled, options, _whole(data, "seed"))

    def entries(self) -> list[OutboxEntry]:
        """What is there, oldest first."""
        return self._native.entries()

    def send(self) -> list[OutboxEntry]:
        """Gives what waits to the endpoint and collects the answers: all that waited, as it is now.

        What could not be sent waits on, with the reason as its `finding`. Errors: InvalidArgument as keep().
        """
        return self._native.send()

    def result(self, id: str) -> ExecutionResult:
        """The answer, which stays until it is dropped. Errors: NotFound, Unavailable (it waits), Corrupt, the run's."""
        return _result(self._native.result(id))

    def drop(self, id: str) -> None:
        """Forgets an entry. Errors: NotFound, Unavailable (somebody sends it)."""
        self._native.drop(id)


class EdgeExecutor:
    """Runs compiled circuits inside the configured budget; from any thread."""

    def __init__(self, config: EdgeExecutionConfig | None = None, compiler: CircuitCompiler | None = None) -> None:
        self.config = config or (compiler.config if compiler else EdgeExecutionConfig())
        self.compiler = compiler or CircuitCompiler(self.config)
        self._native: _core.NativeExecutor | None = _core.NativeExecutor(self.config.native)

    @property
    def native(self) -> _core.NativeExecutor:
        """Errors: InvalidArgument after cleanup()."""
        if self._native is None:
            raise InvalidArgument("the executor was cleaned up", "EdgeExecutor", "make a new one")
        return self._native

    def execute_circuit(self, circuit_id: str, input_data: InputData | None = None) -> Any:
        """Runs what was compiled under this id: an ExecutionResult, or a list of them for parameters [batch, P].

        input_data: values of the circuit's parameters by name, or `parameters` (in order, or a batch); `initial_state`,
        `shots`, `seed`, `observables` (Observables or their text). Errors: KeyError (id), BudgetExceeded and
        DeadlineExceeded with need, limit and what to change, Unavailable when the endpoint was needed and failed:
        JobKept when the run (of a batch, the first row that failed) waits in the outbox now.
        """
        return self.execute(self.compiler.get_compiled_circuit(circuit_id), input_data)

    def execute(self, compiled: CompiledCircuit, input_data: InputData | None = None) -> Any:
        """The same for a circuit at hand."""
        data = _data(input_data)
        options, rows = _run_options(compiled.num_qubits, data)
        seed = _whole(data, "seed")
        if rows is None:
            return _result(self.native.execute(compiled, options, seed))
        return [_result(done) for done in self.native.execute_batch(compiled, options, seed, rows)]

    def execute_model(self, model: Model | str | os.PathLike[str], input_data: InputData | None = None) -> Any:
        """Runs a model or a hybrid, or the file of one: an ExecutionResult with `outputs` and `parts`.

        input_data: an array for each input, by name. It runs here when its plan fits the budget, else in two halves cut
        where the fewest bytes go over the link, else at the endpoint, which is sent the half or the whole once. Equal
        runs are answered from the cache; a session is cheaper for many others here. Errors: as execute_circuit(), but
        for KeyError and JobKept; InvalidArgument and TypeMismatch for inputs.
        """
        return _result(self.native.execute_model(_model(model), _data(input_data)))

    def place_model(self, model: Model | str | os.PathLike[str], input_data: InputData | None = None) -> Placement:
        """What execute_model() would decide now; nothing is sent or run."""
        return self.native.place_model(_model(model), _data(input_data))

    def place(self, compiled: CompiledCircuit, input_data: InputData | None = None) -> Placement:
        """What execute() would decide now; nothing is sent or run."""
        options, rows = _run_options(compiled.num_qubits, _data(input_data))
        if rows is not None and len(rows):
            options.parameters = rows[0].tolist()
        return self.native.place(compiled, options)

    def get_performance_statistics(self) -> dict[str, float]:
        """Live counters; the average in seconds."""
        now = self.native.statistics()
        return {
            "total_executions": now.executions,
            "edge_executions": now.edge_executions,
            "cloud_executions": now.cloud_executions,
            "hybrid_executions": now.hybrid_executions,
            "average_execution_time": now.average_seconds,
        }

    @property
    def performance_stats(self) -> dict[str, float]:
        """What get_performance_statistics() gives."""
        return self.get_performance_statistics()

    @property
    def outbox(self) -> Outbox:
        """Runs that wait for the endpoint. Errors: InvalidArgument without outbox_folder."""
        return Outbox(self.config)

    def resources(self) -> Resources:
        """Free memory, processors, load and what runs now."""
        return self.native.resources()

    @property
    def execution_cache(self) -> ExecutionCache:
        """The results that are kept: how many, how large, and the way to forget them."""
        return ExecutionCache(self)

    def clear_cache(self) -> None:
        """Forgets the results that are kept."""
        self.native.clear_cache()

    def cleanup(self) -> None:
        """Gives memory and connections back. A second call does nothing; any other use then raises InvalidArgument."""
        if self._native is not None:
            self._native.cleanup()
        self._native = None


class ExecutionCache:
    """Results that must be equal when asked for again: exact ones, and samples with a seed. len() counts them."""

    def __init__(self, executor: EdgeExecutor) -> None:
        self._executor = executor

    def __len__(self) -> int:
        return self._executor.native.statistics().cached_results

    @property
    def bytes(self) -> int:
        """Never more than cache_size_mb."""
        return self._executor.native.statistics().cached_bytes

    @property
    def hits(self) -> int:
        """Executions that were answered from here."""
        return self._executor.native.statistics().cache_hits

    def clear(self) -> None:
        """Forgets all of them."""
        self._executor.native.clear_cache()


class EdgeExecutionManager:
    """A compiler and an executor that share one configuration. A context manager: leaving it cleans up."""

    def __init__(self, config: EdgeExecutionConfig | None = None) -> None:
        self.config = config or EdgeExecutionConfig()
        self._compiler: CircuitCompiler | None = CircuitCompiler(self.config)
        self._executor: EdgeExecutor | None = EdgeExecutor(self.config, self._compiler)

    @property
    def compiler(self) -> CircuitCompiler:
        """Errors: InvalidArgument after cleanup()."""
        if self._compiler is None:
            raise InvalidArgument("the manager was cleaned up", "EdgeExecutionManager", "make a new one")
        return self._compiler

    @property
    def executor(self) -> EdgeExecutor:
        """Errors: InvalidArgument after cleanup()."""
        if self._executor is None:
            raise InvalidArgument("the manager was cleaned up", "EdgeExecutionManager", "make a new one")
        return self._executor

    def compile_and_execute(
        self, circuit: ProgramLike, input_data: InputData | None = None, optimization_level: str = "medium"
    ) -> Any:
        """Compiles unless it is known, runs, and tells what that took. input_data, result: as execute_circuit().

        A model or hybrid, or the file of one, is run as by EdgeExecutor.execute_model(), always compiled at "high".
        """
        program = _program(circuit)
        if isinstance(program, Model):
            return self.executor.execute_model(program, input_data)
        return self.executor.execute(self.compiler.compile_circuit(program, optimization_level), input_data)

    def place(
        self, circuit: ProgramLike, input_data: InputData | None = None, optimization_level: str = "medium"
    ) -> Placement:
        """Where compile_and_execute() would run this now, and why; str() tells it in some lines."""
        program = _program(circuit)
        if isinstance(program, Model):
            return self.executor.place_model(program, input_data)
        return self.executor.place(self.compiler.compile_circuit(program, optimization_level), input_data)

    def get_compilation_statistics(self) -> dict[str, float]:
        """As CircuitCompiler.get_compilation_statistics()."""
        return self.compiler.get_compilation_statistics()

    def get_performance_statistics(self) -> dict[str, float]:
        """As EdgeExecutor.get_performance_statistics()."""
        return self.executor.get_performance_statistics()

    @property
    def outbox(self) -> Outbox:
        """As EdgeExecutor.outbox."""
        return self.executor.outbox

    def resources(self) -> Resources:
        """As EdgeExecutor.resources()."""
        return self.executor.resources()

    def cleanup(self) -> None:
        """Gives everything back. A second call does nothing; any other use afterwards raises InvalidArgument."""
        if self._executor is not None:
            self._executor.cleanup()
        self._compiler = self._executor = None

    def __enter__(self) -> EdgeExecutionManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()


def doctor(config: EdgeExecutionConfig | str) -> list[DoctorStep]:
    """Goes to an endpoint step by step (address, DNS, TCP, TLS, HTTP, auth, version), as far as it gets.

    >>> [(step.name, step.ok) for step in doctor("http://127.0.0.1:1")]
    [('address', True), ('DNS', True), ('TCP', False)]
    """
    if isinstance(config, str):
        config = EdgeExecutionConfig(cloud_endpoint=config)
    return _core.examine_endpoint(config.native)
