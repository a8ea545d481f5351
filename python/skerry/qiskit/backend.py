"""SkerryBackend: where Qiskit's circuits run here."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime
from typing import Any

import numpy as np
from qiskit.circuit import Measure, Parameter, QuantumCircuit, Reset
from qiskit.circuit.controlflow import (
    BreakLoopOp,
    ContinueLoopOp,
    ForLoopOp,
    IfElseOp,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import UnitaryGate
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, JobStatus, JobTimeoutError, JobV1, Options
from qiskit.quantum_info import Statevector
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import Target

from skerry import _core
from skerry._core import Circuit, RunOptions, RunResult, version
from skerry.errors import Error, InvalidArgument
from skerry.noise import NoiseModel, from_aer, load_noise
from skerry.qiskit.errors import SkerryError
from skerry.qiskit.gates import SPELLINGS
from skerry.qiskit.incoming import from_qiskit, from_qiskit_at_zero
from skerry.running import Precision

ParameterBinds = Mapping[Parameter, Sequence[float] | float]

_SEEDS = 2**64
# The transpiler wants a number; what a method can hold, the plan of a run says.
_MOST_QUBITS = 1024
_CONTROL_FLOW = {
    "if_else": IfElseOp,
    "while_loop": WhileLoopOp,
    "for_loop": ForLoopOp,
    "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
}


# Aer's names of methods, beside our own.
_AERS = {"automatic": "auto", "density_matrix": "density", "matrix_product_state": "mps"}


def run_options(method: str, precision: Precision, threads: int, noise_model: Any = None) -> RunOptions:
    """Options of a run with these settings and nothing asked for yet."""
    options = RunOptions()
    options.method = _AERS.get(method, method)
    options.set_precision(precision)
    options.set_limits(threads, None, None)
    if noise_model is not None:
        options.set_noise(noise_of(noise_model))
    return options


def noise_of(model: Any) -> NoiseModel:
    """Skerry's noise model as it is, of a JSON file, or from Qiskit Aer's (or its dictionary)."""
    if isinstance(model, NoiseModel):
        return model
    if isinstance(model, str | os.PathLike):
        return load_noise(model)
    if isinstance(model, Mapping) or hasattr(model, "to_dict"):
        return from_aer(model)
    hint = "give a skerry.noise.NoiseModel, the path of its JSON, or Qiskit Aer's NoiseModel"
    raise InvalidArgument(f"a {type(model).__name__} is no noise model", "noise_model", hint)


def first_seed(seed: int | np.random.Generator | None) -> int:
    """The seed of a job's first run; the next ones count up from it. None: a new one each time."""
    if seed is None:
        return secrets.randbits(64)
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    # Spread over all seeds, so that the second run of a job is not the first one of the next seed's.
    spread = np.random.SeedSequence(int(seed) % _SEEDS)
    return int(spread.generate_state(1, np.uint64)[0])


def gives_bits(circuit: Circuit) -> bool:
    """Does the circuit write its classical bits? One that does not would be sampled on all of its qubits."""
    return circuit.num_bits > 0 and not circuit.gate_counts.keys().isdisjoint(("measure", "assign"))


def sample(circuit: Circuit, settings: RunOptions, values: Sequence[float], shots: int, seed: int) -> RunResult:
    """One run for shots, with each shot's bits kept."""
    options = settings.copy()
    options.parameters = list(values)
    options.shots, options.seed, options.want_memory = shots, seed % _SEEDS, True
    return _core.run_circuit(circuit, options, None)


def statevector(circuit: QuantumCircuit, *, precision: Precision = "double", threads: int = 0) -> Statevector:
    """The state that a circuit leaves, without sampling; what it measures at its end is left out.

    >>> from qiskit import QuantumCircuit
    >>> from skerry.qiskit import statevector
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.h(0)
    >>> statevector(circuit).probabilities().round(3).tolist()
    [0.5, 0.5]
    """
    options = run_options("statevector", precision, threads)
    options.want_state = True
    kept = circuit.remove_final_measurements(inplace=False)
    return Statevector(np.array(_core.run_circuit(from_qiskit_at_zero(kept), options, None).state))


def _target(basis: Iterable[str] | None) -> Target:
    """What the transpiler may use: `basis` alone, which noise goes by, or everything."""
    target = Target(description="Skerry", num_qubits=_MOST_QUBITS)
    known = get_standard_gate_name_mapping()
    names = {name for name in known if name in SPELLINGS or name in ("delay", "cu", "u2")}
    if basis is not None:
        names &= {*basis, "delay"}
    for name, gate in known.items():
        if name in names:
            target.add_instruction(gate, {None: None})
    target.add_instruction(Measure(), {None: None})
    target.add_instruction(Reset(), {None: None})
    if basis is None or "unitary" in basis:
        target.add_instruction(UnitaryGate, name="unitary")
    for name, operation in _CONTROL_FLOW.items():
        target.add_instruction(operation, name=name)
    return target


class SkerryJob(JobV1):
    """A run under way in a thread of its own; result() waits for it."""

    def __init__(self, backend: SkerryBackend, job_id: str, future: Future[Result]) -> None:
        super().__init__(backend, job_id)
        self._future = future

    def submit(self) -> None:
        """Does nothing: the backend's run() has submitted it."""

    def result(self, timeout: float | None = None) -> Result:
        """The result. Errors: JobTimeoutError, SkerryError if the run was refused."""
        try:
            return self._future.result(timeout)
        except FutureTimeoutError as error:
            raise JobTimeoutError(f"the job has not ended after {timeout} s") from error
        except Error as error:
            raise SkerryError(error) from error

    def cancel(self) -> bool:
        """True if it had not begun."""
        return self._future.cancel()

    def status(self) -> JobStatus:
        """Where it is."""
        if self._future.cancelled():
            return JobStatus.CANCELLED
        if self._future.running():
            return JobStatus.RUNNING
        if not self._future.done():
            return JobStatus.QUEUED
        return JobStatus.ERROR if self._future.exception() is not None else JobStatus.DONE


class SkerryBackend(BackendV2):
    """All standard gates between any qubits, measurement, reset and control flow, exactly.

    method: a method of simulation under its name here or at Aer, or `auto`; precision of amplitudes; threads, 0 for all
    that the process may use.
    noise_model: Skerry's (`skerry.noise.NoiseModel`, or the path of its JSON) or Qiskit Aer's; noise goes by the names
    of gates as they stand, and transpile() then uses the gates that Aer's model names. Options of a run: shots (1024),
    memory (False: each shot's bits), seed_simulator (None: another one each time), and method, precision, threads,
    noise_model for this run alone.

    >>> from qiskit import QuantumCircuit
    >>> from skerry.noise import Channel, NoiseModel
    >>> from skerry.qiskit import SkerryBackend
    >>> flip = QuantumCircuit(1)
    >>> _ = flip.x(0), flip.measure_all()
    >>> backend = SkerryBackend(noise_model=NoiseModel().add("x", Channel.bit_flip(1.0)))
    >>> backend.run(flip, shots=10).result().get_counts()
    {'0': 10}
    """

    def __init__(
        self,
        *,
        method: str = "auto",
        precision: Precision = "double",
        threads: int = 0,
        shots: int = 1024,
        memory: bool = False,
        seed_simulator: int | None = None,
        noise_model: Any = None,
    ) -> None:
        noise = None if noise_model is None else noise_of(noise_model)
        run_options(method, precision, threads, noise)  # refuses wrong settings here, not at the first run
        super().__init__(name="skerry", description="Skerry's simulator", backend_version=version())
        self._options.update_options(
            method=method,
            precision=precision,
            threads=threads,
            shots=shots,
            memory=memory,
            seed_simulator=seed_simulator,
            noise_model=noise,
        )
        self._made_target = _target(getattr(noise_model, "basis_gates", None))
        # One thread: runs use all cores themselves.
        self._pool = ThreadPoolExecutor(1, "skerry-backend")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pool"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._pool = ThreadPoolExecutor(1, "skerry-backend")

    @property
    def target(self) -> Target:
        """What the transpiler may use, between any qubits: everything, or the gates that the noise model names."""
        return self._made_target

    @property
    def max_circuits(self) -> None:
        """No limit."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options(
            method="auto",
            precision="double",
            threads=0,
            shots=1024,
            memory=False,
            seed_simulator=None,
            noise_model=None,
        )

    def run(
        self,
        run_input: QuantumCircuit | Iterable[QuantumCircuit],
        parameter_binds: Sequence[ParameterBinds] | None = None,
        **options: Any,
    ) -> SkerryJob:
        """Runs circuits; parameter_binds: for each circuit the values of its parameters, one experiment per value."""
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        unknown = sorted(options.keys() - set(self._options))
        if unknown:
            hint = "it takes " + ", ".join(sorted(self._options))
            raise SkerryError(InvalidArgument(f"the option {unknown[0]!r} is not known", "run", hint))
        chosen = dict(self._options) | {name: value for name, value in options.items() if value is not None}
        if parameter_binds is not None and len(parameter_binds) not in (0, len(circuits)):
            text = f"{len(parameter_binds)} parameter_binds for {len(circuits)} circuits"
            raise SkerryError(InvalidArgument(text, "parameter_binds"))
        binds = list(parameter_binds or [{}] * len(circuits))
        job_id = str(uuid.uuid4())
        return SkerryJob(self, job_id, self._pool.submit(self._run, circuits, binds, chosen, job_id))

    def _run(
        self, circuits: list[QuantumCircuit], binds: list[ParameterBinds], options: dict[str, Any], job_id: str
    ) -> Result:
        settings = run_options(options["method"], options["precision"], options["threads"], options["noise_model"])
        seed = first_seed(options["seed_simulator"])
        experiments: list[ExperimentResult] = []
        for circuit, bind in zip(circuits, binds, strict=True):
            made = from_qiskit(circuit)
            for values in _rows(circuit, bind):
                own_seed = (seed + len(experiments)) % _SEEDS
                experiments.append(_experiment(circuit, made, settings, values, options, own_seed))
        return Result(
            backend_name=self.name,
            backend_version=self.backend_version,
            job_id=job_id,
            success=True,
            results=experiments,
            date=datetime.now(UTC),
            status="COMPLETED",
        )


def _rows(circuit: QuantumCircuit, bind: ParameterBinds) -> list[list[float]]:
    """Values of all parameters in the circuit's order, one row per experiment."""
    missing = [parameter.name for parameter in circuit.parameters if parameter not in bind]
    if missing:
        raise InvalidArgument(f"the parameters {', '.join(missing)} have no values", circuit.name, "bind them")
    columns = [np.atleast_1d(np.asarray(bind[parameter], dtype=np.float64)) for parameter in circuit.parameters]
    if not columns:
        return [[]]
    if len({len(column) for column in columns}) != 1:
        raise InvalidArgument("parameters have different numbers of values", circuit.name)
    rows: list[list[float]] = np.stack(columns, axis=1).tolist()
    return rows


def _experiment(
    circuit: QuantumCircuit,
    made: Circuit,
    settings: RunOptions,
    values: list[float],
    options: Mapping[str, Any],
    seed: int,
) -> ExperimentResult:
    shots = int(options["shots"])
    answers: dict[str, Any] = {}
    report: dict[str, Any] = {}
    if gives_bits(made):
        run = sample(made, settings, values, shots, seed)
        answers["counts"] = {hex(int(bits, 2)): times for bits, times in run.counts.items()}
        if options["memory"]:
            answers["memory"] = [hex(int(bits, 2)) for bits in run.memory]
        report = {"method": run.method, "time_taken": run.seconds, "peak_bytes": run.peak_bytes}
    return ExperimentResult(
        shots=shots,
        success=True,
        data=ExperimentResultData(**answers),
        status="DONE",
        seed=seed,
        header={
            "name": circuit.name,
            "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
            "memory_slots": circuit.num_clbits,
            "n_qubits": circuit.num_qubits,
            "metadata": circuit.metadata,
        },
        metadata=report,
    )
