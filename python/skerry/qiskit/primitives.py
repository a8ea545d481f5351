"""SkerrySampler and SkerryEstimator: Qiskit's primitives, version 2."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, PrimitiveJob
from qiskit.primitives.containers import BitArray, DataBin, PrimitiveResult, PubResult, SamplerPubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike
from qiskit.providers import BackendV2

from skerry import _core
from skerry._core import Circuit, Observable, RunOptions
from skerry.errors import Error, InvalidArgument, Unsupported
from skerry.qiskit.backend import SkerryBackend, first_seed, gives_bits, noise_of, run_options, sample
from skerry.qiskit.errors import SkerryError
from skerry.qiskit.incoming import from_qiskit

Seed = int | np.random.Generator | None

# Settings of a backend that the primitives have too, and what they are where nothing is said.
_SETTINGS: dict[str, Any] = {"method": "auto", "precision": "double", "threads": 0, "noise_model": None}
# Qubits up to which a batch of states fits in the lanes of vector units.
_SMALL = 12
# Letters of Qiskit's observables beyond the Paulis are projectors: (1 + sign P) / 2.
_PROJECTORS = {"0": ("Z", 1), "1": ("Z", -1), "+": ("X", 1), "-": ("X", -1), "r": ("Y", 1), "l": ("Y", -1)}


@dataclass
class PrimitiveOptions:
    """Settings of a primitive under the names of Aer's; a change counts from the next run on."""

    backend_options: dict[str, Any] = field(default_factory=dict)
    """method, precision (of amplitudes), threads, noise_model"""
    run_options: dict[str, Any] = field(default_factory=dict)
    """seed_simulator, where the primitive itself has no seed"""

    @property
    def seed_simulator(self) -> Seed:
        """The same of run_options."""
        return self.run_options.get("seed_simulator")

    @seed_simulator.setter
    def seed_simulator(self, seed: Seed) -> None:
        self.run_options["seed_simulator"] = seed


class _Primitive:
    """What the sampler and the estimator share: settings, in the form that Aer's primitives take, and the seed."""

    # Options of each primitive's own, beside `backend_options` and `run_options`.
    _own_options: tuple[str, ...] = ()

    def __init__(self, seed: Seed, options: Mapping[str, Any] | None) -> None:
        given = dict(options or {})
        self._options = PrimitiveOptions(
            dict(_SETTINGS) | dict(given.pop("backend_options", {})), dict(given.pop("run_options", {}))
        )
        unknown = given.keys() - set(self._own_options)
        if unknown:
            raise _not_known(min(unknown))
        self._own, self._given_seed = given, seed
        self._run_options()  # refuses wrong settings here, not at the first run

    @classmethod
    def from_backend(cls, backend: BackendV2, **options: Any) -> Self:
        """One with the settings of a SkerryBackend, noise too; of another backend nothing is taken, its noise least."""
        made = cls(**options)
        if isinstance(backend, SkerryBackend):
            made._options.backend_options |= {name: backend.options[name] for name in _SETTINGS}
        return made

    @property
    def seed(self) -> Seed:
        """The seed as given, to the primitive or in its options."""
        return self._given_seed if self._given_seed is not None else self._options.seed_simulator

    @property
    def options(self) -> PrimitiveOptions:
        """Method, precision of amplitudes, threads and noise model; the seed of runs."""
        return self._options

    def _run_options(self) -> RunOptions:
        settings = self._options.backend_options
        unknown = [*(settings.keys() - set(_SETTINGS)), *(self._options.run_options.keys() - {"seed_simulator"})]
        if unknown:
            raise _not_known(min(unknown))
        if settings["noise_model"] is not None:
            settings["noise_model"] = noise_of(settings["noise_model"])  # converted once
        return run_options(**settings)


def _not_known(option: str) -> SkerryError:
    return SkerryError(InvalidArgument(f"the option {option!r} is not known", "options"))


def _submitted(run: Callable[[list[Any]], Any], pubs: list[Any]) -> Any:
    """A job under way that runs these pubs; its errors are Qiskit's."""

    def checked() -> Any:
        try:
            return PrimitiveResult(run(pubs), metadata={"version": 2})
        except Error as error:
            raise SkerryError(error) from error

    job = PrimitiveJob(checked)
    job._submit()
    return job


class SkerrySampler(_Primitive, BaseSamplerV2):
    """Samples circuits: for each pub an array of shots for every classical register.

    default_shots where none are given; seed: same seed, same samples (None: others each time); method, precision and
    threads as of SkerryBackend; options: a dict like that of Aer's sampler.

    >>> from qiskit import QuantumCircuit
    >>> from skerry.qiskit import SkerrySampler
    >>> bell = QuantumCircuit(2)
    >>> _ = bell.h(0), bell.cx(0, 1), bell.measure_all()
    >>> SkerrySampler(seed=7).run([bell], shots=100).result()[0].data.meas.num_shots
    100
    """

    def __init__(
        self,
        *,
        default_shots: int = 1024,
        seed: Seed = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(seed, options)
        self._default_shots = default_shots

    @property
    def default_shots(self) -> int:
        """Shots where a pub says nothing."""
        return self._default_shots

    def run(
        self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None
    ) -> PrimitiveJob[PrimitiveResult[SamplerPubResult]]:
        """Runs pubs: (circuit, parameter values, shots) or a circuit."""
        coerced = [SamplerPub.coerce(pub, self._default_shots if shots is None else shots) for pub in pubs]
        for place, pub in enumerate(coerced):
            if not pub.circuit.cregs:
                warnings.warn(
                    f"pub {place} has no classical register, so its result will be empty; add measurements",
                    UserWarning,
                    stacklevel=2,
                )
        return _submitted(self._run, coerced)

    def _run(self, pubs: list[SamplerPub]) -> list[SamplerPubResult]:
        seeds = itertools.count(first_seed(self.seed))
        return [self._run_pub(pub, seeds) for pub in pubs]

    def _run_pub(self, pub: SamplerPub, seeds: Iterable[int]) -> SamplerPubResult:
        circuit, shape, settings = pub.circuit, pub.parameter_values.shape, self._run_options()
        made = from_qiskit(circuit)
        rows = pub.parameter_values.as_array(circuit.parameters).reshape(int(np.prod(shape)), -1)
        words = max(1, -(-circuit.num_clbits // 64))
        samples = np.zeros((len(rows), pub.shots, words), dtype=np.uint64)
        report: dict[str, Any] = {}
        if gives_bits(made):
            for place, (row, seed) in enumerate(zip(rows.tolist(), seeds, strict=False)):
                run = sample(made, settings, row, pub.shots, seed)
                samples[place] = run.samples
                report = {"method": run.method, "time_taken": report.get("time_taken", 0.0) + run.seconds}
        samples = samples.reshape(*shape, pub.shots, words)
        arrays = {register.name: _bit_array(samples, circuit, list(register)) for register in circuit.cregs}
        metadata = {"shots": pub.shots, "circuit_metadata": circuit.metadata, "simulator_metadata": report}
        return SamplerPubResult(DataBin(**arrays, shape=shape), metadata=metadata)


def _bit_array(samples: NDArray[np.uint64], circuit: QuantumCircuit, register: Sequence[Any]) -> BitArray:
    """The register's bits of each sample, packed as Qiskit has them: bytes, most significant first."""
    places = [circuit.find_bit(bit).index for bit in register]
    size = -(-len(places) // 8)
    octets = np.ascontiguousarray(samples.astype("<u8")).view(np.uint8)
    bits = np.zeros((*samples.shape[:-1], 8 * size), dtype=np.uint8)
    for place, index in enumerate(places):
        bits[..., 8 * size - 1 - place] = octets[..., index // 8] >> (index % 8) & 1
    return BitArray(np.packbits(bits, axis=-1), len(places))


class SkerryEstimator(_Primitive, BaseEstimatorV2):
    """Expectation values, exact; to each is added normal noise of its `precision` (0: none), as Aer's estimator does.

    default_precision where a pub says nothing; seed of that noise; options: a dict like that of Aer's estimator
    (`default_precision`, `backend_options` with method, precision, threads, noise_model, `run_options` with
    seed_simulator). A circuit that measures or resets gives the mean over its outcomes, exactly; so does noise.

    >>> from qiskit import QuantumCircuit
    >>> from skerry.qiskit import SkerryEstimator
    >>> bell = QuantumCircuit(2)
    >>> _ = bell.h(0), bell.cx(0, 1)
    >>> SkerryEstimator().run([(bell, ["ZZ", "XX", "ZI"])]).result()[0].data.evs.round(6).tolist()
    [1.0, 1.0, 0.0]
    """

    _own_options = ("default_precision",)

    def __init__(
        self,
        *,
        default_precision: float = 0.0,
        seed: Seed = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(seed, options)
        self._default_precision = float(self._own.get("default_precision", default_precision))

    @property
    def default_precision(self) -> float:
        """Precision where a pub says nothing."""
        return self._default_precision

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> PrimitiveJob[PrimitiveResult[PubResult]]:
        """Runs pubs: (circuit, observables, parameter values, precision)."""
        coerced = [
            EstimatorPub.coerce(pub, self._default_precision if precision is None else precision) for pub in pubs
        ]
        for place, pub in enumerate(coerced):
            if pub.precision < 0.0:
                raise ValueError(f"pub {place} has the precision {pub.precision}; it must not be below 0")
        return _submitted(self._run, coerced)

    def _run(self, pubs: list[EstimatorPub]) -> list[PubResult]:
        # A generator goes on from pub to pub, a number begins anew: equal pubs then have equal results.
        return [self._run_pub(pub, np.random.default_rng(self.seed)) for pub in pubs]

    def _run_pub(self, pub: EstimatorPub, rng: np.random.Generator) -> PubResult:
        circuit, values = pub.circuit, pub.parameter_values
        made = from_qiskit(circuit)
        rows = values.as_array(circuit.parameters).reshape(int(np.prod(values.shape)), -1).tolist()
        asked = [_observable(terms, circuit.num_qubits) for terms in pub.observables.ravel().tolist()]
        # Which row and which observable each answer is of.
        row_of, asked_of = np.broadcast_arrays(
            np.arange(len(rows)).reshape(values.shape), np.arange(len(asked)).reshape(pub.observables.shape)
        )
        evs = np.zeros(row_of.shape)
        report: dict[str, Any] = {"method": "", "time_taken": 0.0}
        together = self._all_rows(made, asked, rows) if len(rows) * len(asked) <= 2 * evs.size else None
        if together is not None:
            evs[...] = together[row_of, asked_of]
            rows, report = [], {"method": "statevector"}
        for number, row in enumerate(rows):
            options = self._run_options()
            options.parameters = row
            here = row_of == number
            wanted, place = np.unique(asked_of[here], return_inverse=True)
            options.observables = [asked[i] for i in wanted]
            run = _core.run_circuit(made, options, None)
            evs[here] = np.asarray(run.expectations)[place]
            report = {"method": run.method, "time_taken": report["time_taken"] + run.seconds}
        if pub.precision > 0:
            evs = rng.normal(evs, pub.precision, evs.shape)
        return PubResult(
            DataBin(evs=evs, stds=np.full(evs.shape, pub.precision), shape=evs.shape),
            metadata={
                "target_precision": pub.precision,
                "circuit_metadata": circuit.metadata,
                "simulator_metadata": report,
            },
        )

    def _all_rows(self, made: Circuit, asked: list[Observable], rows: list[list[float]]) -> NDArray[np.float64] | None:
        """Every observable at every row, where small states run side by side; None where they do not."""
        settings = self._options.backend_options
        is_vector = settings["method"] in ("auto", "automatic", "statevector") and settings["noise_model"] is None
        if not is_vector or made.num_qubits > _SMALL or len(rows) < 2 or not made.parameters:
            return None
        try:
            program = _core.GradientProgram(made, asked, settings["precision"])
        except Unsupported:
            return None  # it measures or branches
        return program.values(np.array(rows), settings["threads"])


def _observable(terms: Mapping[str, float], num_qubits: int) -> Observable:
    """From Qiskit's {letters: weight}, the leftmost letter of the highest qubit."""
    found: list[tuple[str, list[int], float]] = []
    for label, weight in terms.items():
        factors = [(letter, qubit) for qubit, letter in enumerate(reversed(label)) if letter != "I"]
        projectors = [(letter, qubit) for letter, qubit in factors if letter in _PROJECTORS]
        paulis = [(letter, qubit) for letter, qubit in factors if letter not in _PROJECTORS]
        if len(projectors) > 20:
            raise InvalidArgument(f"an observable of {len(projectors)} projectors", label, "at most 20 in a term")
        scale = float(weight) / 2 ** len(projectors)
        for chosen in itertools.product((False, True), repeat=len(projectors)):
            kept = [(*_PROJECTORS[letter], q) for use, (letter, q) in zip(chosen, projectors, strict=True) if use]
            sign = np.prod([sign for _, sign, _ in kept]) if kept else 1
            letters = "".join([letter for letter, _ in paulis] + [letter for letter, _, _ in kept])
            qubits = [qubit for _, qubit in paulis] + [qubit for _, _, qubit in kept]
            found.append((letters, qubits, scale * float(sign)))
    return Observable.from_sparse_list(found, num_qubits)
