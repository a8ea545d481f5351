"""The device `skerry.qubit`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qp
from pennylane.devices import Device, ExecutionConfig, MCMConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.devices.preprocess import (
    decompose,
    device_resolve_dynamic_wires,
    no_sampling,
    validate_adjoint_trainable_params,
    validate_device_wires,
    validate_measurements,
    validate_observables,
)
from pennylane.exceptions import DeviceError
from pennylane.measurements import CountsMP, ExpectationMP, ProbabilityMP, SampleMP, VarianceMP
from pennylane.tape import QuantumScript

from skerry._core import RunOptions
from skerry.pennylane.adjoint import Programs, is_differentiable, is_pauli_mean
from skerry.pennylane.answers import (
    exact,
    exact_batch,
    exact_midway,
    measured_midway,
    sampled,
    sampled_batch,
    takes_exactly,
)
from skerry.pennylane.gates import batch_size, is_batchable, is_native
from skerry.running import Precision

# Up to so many qubits, what is prepared for derivatives gives values soonest; above, a run of its own is planned.
_SMALL = 14
# Names of PennyLane's for measurements midway that are made as they stand: here they are all one.
_NATIVE = ("device", "one-shot", "tree-traversal")
# Outcomes over which a distribution is a table of some megabytes.
_MOST_OUTCOMES = 20
_FROM_OUTCOMES = (CountsMP, ExpectationMP, ProbabilityMP, SampleMP, VarianceMP)
_DTYPES: dict[Any, Precision] = {np.dtype(np.complex64): "single", np.dtype(np.complex128): "double"}


@simulator_tracking
@single_tape_support
class SkerryDevice(Device):
    """Qubits on Skerry's simulators, exactly or by shots.

    wires: their number or labels; None: those of each circuit. c_dtype: complex64 or complex128. method: a method of
    simulation, or `auto`. threads: 0 for all that the process may use. seed: of the shots, as numpy.random.default_rng
    takes it; "global" takes it from numpy's global state.

    >>> import pennylane as qp
    >>> from skerry.pennylane import SkerryDevice
    >>> @qp.qnode(SkerryDevice(wires=2))
    ... def bell():
    ...     qp.H(0)
    ...     qp.CNOT([0, 1])
    ...     return qp.probs([0, 1])
    >>> bell().round(3).tolist()
    [0.5, 0.0, 0.0, 0.5]
    """

    config_filepath = str(Path(__file__).parent / "skerry_qubit.toml")

    def __init__(
        self,
        wires: Any = None,
        *,
        shots: Any = None,
        c_dtype: Any = np.complex128,
        method: str = "auto",
        threads: int = 0,
        seed: Any = "global",
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        if np.dtype(c_dtype) not in _DTYPES:
            raise DeviceError(f"c_dtype is {c_dtype}; skerry.qubit has complex64 and complex128")
        self._precision = _DTYPES[np.dtype(c_dtype)]
        self._method, self._threads = method, threads
        self._rng = np.random.default_rng(np.random.randint(2**31 - 1) if seed == "global" else seed)  # noqa: NPY002
        self._run_options()  # refuses wrong settings here, not at the first run
        self._programs = Programs(self._precision, threads)
        self._labels = None
        if self.wires is not None and list(self.wires) != list(range(len(self.wires))):
            self._labels = {label: place for place, label in enumerate(self.wires)}

    @property
    def name(self) -> str:
        """`skerry.qubit`."""
        return "skerry.qubit"

    @property
    def c_dtype(self) -> Any:
        """dtype of the amplitudes."""
        return np.complex64 if self._precision == "single" else np.complex128

    def _run_options(self) -> RunOptions:
        options = RunOptions()
        options.method = self._method
        options.set_precision(self._precision)
        options.set_limits(self._threads, None, None)
        return options

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        """Chooses what was left open: measurements midway are made as they stand, wherever that can be told."""
        config = config or ExecutionConfig()
        if config.device_options:
            raise DeviceError(f"device option {next(iter(config.device_options))} not present on {self}")
        mcm = config.mcm_config
        if mcm.mcm_method not in (None, "deferred", *_NATIVE):
            raise DeviceError(f'mcm_method="{mcm.mcm_method}" is not supported with skerry.qubit')
        if mcm.mcm_method is None:
            config = replace(config, mcm_config=replace(mcm, mcm_method="device"))
        if config.gradient_method == "best" and self.supports_derivatives(config, circuit):
            config = replace(config, gradient_method="adjoint")
        selects = circuit is not None and _selects(circuit) and not circuit.shots
        if selects and config.gradient_method == qp.gradients.param_shift and not config.gradient_keyword_arguments:
            # Means under a condition are no sums of cosines of an angle: the parameter shift would be wrong.
            config = replace(config, gradient_method=qp.gradients.finite_diff)
        if config.gradient_method != "adjoint":
            return config
        product = True if config.use_device_jacobian_product is None else config.use_device_jacobian_product
        return replace(config, use_device_gradient=True, use_device_jacobian_product=product, grad_on_execution=True)

    def supports_derivatives(
        self, execution_config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> bool:
        """By the adjoint method, of means of sums of Pauli strings, without shots."""
        if execution_config is not None and execution_config.gradient_method not in ("adjoint", "best"):
            return False
        if circuit is None:
            return True
        takes = all(
            op.name != "Snapshot" and (is_differentiable(op) or op.has_decomposition) for op in circuit.operations
        )
        return takes and not circuit.shots and all(map(is_pauli_mean, circuit.measurements))

    def supports_vjp(
        self, execution_config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> bool:
        """Where there are derivatives."""
        return self.supports_derivatives(execution_config, circuit)

    def preprocess_transforms(self, execution_config: ExecutionConfig | None = None) -> qp.CompilePipeline:
        """From any circuit to circuits that execute() takes."""
        capabilities = self.capabilities
        pipeline = qp.CompilePipeline()
        pipeline.add_transform(
            validate_measurements,
            analytic_measurements=_accepts_exact,
            sample_measurements=_accepts_sampled,
            name=self.name,
        )
        pipeline.add_transform(
            validate_observables,
            capabilities.filter(finite_shots=False).supports_observable,
            stopping_condition_shots=capabilities.filter(finite_shots=True).supports_observable,
            name=self.name,
        )
        mcm = execution_config.mcm_config if execution_config is not None else MCMConfig()
        by_adjoint = execution_config is not None and execution_config.gradient_method == "adjoint"
        pipeline.add_transform(_midway, mcm=mcm, by_adjoint=by_adjoint)
        pipeline.add_transform(
            decompose,
            stopping_condition=is_native,
            skip_initial_state_prep=True,
            name=self.name,
            device_wires=self.wires,
            target_gates=capabilities.gate_set(),
        )
        pipeline.add_transform(device_resolve_dynamic_wires, wires=self.wires, allow_resets=False)
        pipeline.add_transform(validate_device_wires, self.wires, name=self.name)
        pipeline.add_transform(_batched, config=execution_config)
        pipeline.add_transform(_split_for_shots)
        if execution_config is not None and execution_config.gradient_method == "adjoint":
            name = f"adjoint + {self.name}"
            pipeline.add_transform(no_sampling, name=name)
            pipeline.add_transform(
                decompose,
                stopping_condition=is_differentiable,
                skip_initial_state_prep=False,
                name=name,
                device_wires=self.wires,
                target_gates=capabilities.gate_set(differentiable=True),
            )
            pipeline.add_transform(validate_measurements, analytic_measurements=is_pauli_mean, name=name)
            pipeline.add_transform(validate_adjoint_trainable_params)
        return pipeline

    def execute(self, circuits: Any, execution_config: ExecutionConfig | None = None) -> Any:
        """Results of circuits that went through preprocess()."""
        by_adjoint = execution_config is not None and execution_config.gradient_method == "adjoint"
        pads = execution_config is not None and execution_config.mcm_config.postselect_mode == "pad-invalid-samples"
        return tuple(self._execute(circuit, by_adjoint, pads) for circuit in circuits)

    def compute_derivatives(self, circuits: Any, execution_config: ExecutionConfig | None = None) -> Any:
        """Derivatives by the trainable parameters."""
        return self.execute_and_compute_derivatives(circuits, execution_config)[1]

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: ExecutionConfig | None = None) -> Any:
        """Results and derivatives."""
        return tuple(zip(*(self._programs.jacobian(*self._placed(one)) for one in circuits), strict=True))

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: ExecutionConfig | None = None) -> Any:
        """Cotangents times derivatives."""
        return self.execute_and_compute_vjp(circuits, cotangents, execution_config)[1]

    def execute_and_compute_vjp(
        self, circuits: Any, cotangents: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        """Results, and cotangents times derivatives."""
        pairs = zip(circuits, cotangents, strict=True)
        return tuple(zip(*(self._programs.vjp(*self._placed(one), weights) for one, weights in pairs), strict=True))

    def _placed(self, circuit: QuantumScript) -> tuple[QuantumScript, int]:
        """The circuit on wires 0, 1, ... and how many there are."""
        if self._labels is not None:
            (circuit,), _ = qp.map_wires(circuit, self._labels)
        elif self.wires is None:
            circuit = circuit.map_to_standard_wires()
        return circuit, circuit.num_wires if self.wires is None else len(self.wires)

    def _execute(self, circuit: QuantumScript, by_adjoint: bool, pads: bool) -> Any:
        circuit, num_wires = self._placed(circuit)
        is_small = num_wires <= _SMALL and all(map(is_pauli_mean, circuit.measurements))
        is_batch = batch_size(circuit) is not None
        if is_small and not circuit.shots and (by_adjoint or (is_batch and not _prepares(circuit))):
            return self._programs.values(circuit, num_wires)
        options = self._run_options()
        if is_batch and circuit.shots:
            options.seed = int(self._rng.integers(2**62))
            return sampled_batch(circuit, num_wires, options)
        if is_batch:
            return exact_batch(circuit, num_wires, options)
        if not circuit.shots and measured_midway(circuit):
            return exact_midway(circuit, num_wires, options)
        if not circuit.shots:
            return exact(circuit, num_wires, options)
        options.seed = int(self._rng.integers(2**63))
        return sampled(circuit, num_wires, options, pads)


def _accepts_exact(mp: Any) -> bool:
    """Whatever can be worked out from a state, people's own measurements too."""
    return isinstance(mp, qp.measurements.StateMeasurement)


def _accepts_sampled(mp: Any) -> bool:
    """Whatever can be worked out from samples."""
    return isinstance(mp, qp.measurements.SampleMeasurement)


def _selects(tape: QuantumScript) -> bool:
    return any(one.postselect is not None for one in measured_midway(tape))


def _prepares(tape: QuantumScript) -> bool:
    return bool(tape.operations) and isinstance(tape.operations[0], qp.operation.StatePrepBase)


def _as_it_stands(tape: QuantumScript, mcm: MCMConfig, by_adjoint: bool) -> Any:
    """Measurements midway stay where samples, or means over all outcomes, tell what is asked; else they are put off."""
    measured = measured_midway(tape)
    is_native = mcm.mcm_method in _NATIVE
    if tape.shots:
        takes = all(isinstance(mp, _FROM_OUTCOMES) for mp in tape.measurements)
    else:
        takes = all(map(takes_exactly, tape.measurements)) and len(measured) <= _MOST_OUTCOMES
        takes = takes and not by_adjoint
    if not measured or (is_native and takes):
        if tape.shots and _selects(tape) and mcm.postselect_mode == "fill-shots":
            raise DeviceError('postselect_mode="fill-shots" is not supported with skerry.qubit; use "hw-like"')
        return (tape,), lambda results: results[0]
    if is_native and mcm.mcm_method != "device":
        raise DeviceError(f'mcm_method="{mcm.mcm_method}" is not supported with skerry.qubit for what is asked here')
    return qp.defer_measurements(tape, allow_postselect=False)


def _rows_together(tape: QuantumScript, config: ExecutionConfig | None) -> Any:
    """A batch of angles stays one circuit where answers are arrays; it falls apart for whole Jacobians, counts, and
    measurements midway."""
    is_one = batch_size(tape) is not None and not measured_midway(tape)
    is_one = is_one and not (tape.shots and any(isinstance(mp, CountsMP) for mp in tape.measurements))
    if is_one and config is not None and config.gradient_method == "adjoint" and not config.use_device_jacobian_product:
        is_one = not any(qp.math.requires_grad(value) for op in tape.operations for value in op.data)
    if batch_size(tape) is None or (
        is_one and all(op.batch_size is None or is_batchable(op) for op in tape.operations)
    ):
        return (tape,), lambda results: results[0]
    return qp.transforms.broadcast_expand(tape)


def _split(tape: QuantumScript) -> Any:
    """With shots, observables that cannot be measured together get circuits of their own."""
    if not tape.shots:
        return (tape,), lambda results: results[0]
    alone = [place for place, mp in enumerate(tape.measurements) if _stands_alone(mp)]
    if not alone:
        return qp.transforms.split_non_commuting(tape)
    if len(tape.measurements) == 1:
        return (tape,), lambda results: results[0]
    rest = [mp for place, mp in enumerate(tape.measurements) if place not in alone]
    tapes = [tape.copy(measurements=[tape.measurements[place]]) for place in alone]
    rests, finish = qp.transforms.split_non_commuting(tape.copy(measurements=rest)) if rest else ((), None)

    def merged(results: Any) -> Any:
        together = finish(results[len(alone) :]) if finish is not None else ()
        if len(rest) != 1:
            others = list(zip(*together, strict=True)) if tape.shots.has_partitioned_shots else list(together)
        else:
            others = [together]
        answers = [results[alone.index(p)] if p in alone else others.pop(0) for p in range(len(tape.measurements))]
        return tuple(zip(*answers, strict=True)) if tape.shots.has_partitioned_shots else tuple(answers)

    return (*tapes, *rests), merged


def _stands_alone(mp: Any) -> bool:
    """Anything but the mean of a sum is asked of the sum as a whole, in the basis of its own eigenvectors."""
    is_sum = isinstance(mp.obs, qp.ops.Sum | qp.ops.SProd | qp.ops.LinearCombination)
    return is_sum and not isinstance(mp, qp.measurements.ExpectationMP)


_split_for_shots = qp.transform(_split)
_midway = qp.transform(_as_it_stands)
_batched = qp.transform(_rows_together)
