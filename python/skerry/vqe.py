"""Variational eigensolver: the lowest energy that a circuit with parameters can reach, and how it got there.

>>> import skerry
>>> from skerry.vqe import LBFGS, OptimizedVQE
>>> ansatz = skerry.Circuit(1).ry(skerry.Parameter("theta"), 0)
>>> report = OptimizedVQE(ansatz, LBFGS()).minimize(skerry.Observable.parse("X0 + Z0", 1), [0.3])
>>> round(report.energy, 5), report.converged
(-1.41421, True)
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skerry._core import Circuit, Observable
from skerry.errors import InvalidArgument
from skerry.running import run
from skerry.simulator import GradientMethod, Simulator

Reals = NDArray[np.float64]

_CACHED = 256  # points whose value and gradient are kept
_HALVINGS = 20  # of a step that does not lower the energy
_ARMIJO = 1e-4  # share of the decrease a straight line promises that a step must keep (Nocedal & Wright 2006, eq. 3.4)


class Optimizer(Protocol):
    """Turns gradients into the next parameters."""

    natural: bool  #: wants gradients multiplied by the inverse Fisher information
    searches: bool  #: its steps are halved until they lower the energy

    def step(self, parameters: Reals, gradients: Reals) -> Reals:
        """The parameters after one step down."""
        ...


@dataclass
class GradientDescent:
    """parameters - learning_rate * gradients."""

    learning_rate: float = 0.1
    natural: bool = False
    searches: bool = False

    def step(self, parameters: Reals, gradients: Reals) -> Reals:
        """The parameters after one step down."""
        return parameters - self.learning_rate * gradients


@dataclass
class NaturalGradient(GradientDescent):
    """Gradient descent in the geometry of states (Stokes et al. 2020, arXiv:1909.02108); steps are halved as needed.

    With the learning rate 2 a step is one of imaginary time, of length 1, with the Fisher information as metric.
    """

    learning_rate: float = 1.0
    natural: bool = True
    searches: bool = True


@dataclass
class Adam:
    """Kingma & Ba 2015, arXiv:1412.6980, algorithm 1."""

    learning_rate: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    natural: bool = False
    searches: bool = False
    _moments: tuple[Reals, Reals] | None = None
    _time: int = 0

    def step(self, parameters: Reals, gradients: Reals) -> Reals:
        """The parameters after one step down."""
        first, second = self._moments or (np.zeros_like(parameters), np.zeros_like(parameters))
        first = self.beta1 * first + (1 - self.beta1) * gradients
        second = self.beta2 * second + (1 - self.beta2) * gradients**2
        self._moments, self._time = (first, second), self._time + 1
        mean = first / (1 - self.beta1**self._time)
        variance = second / (1 - self.beta2**self._time)
        moved: Reals = parameters - self.learning_rate * mean / (np.sqrt(variance) + self.epsilon)
        return moved


@dataclass
class LBFGS:
    """Limited-memory BFGS (Nocedal & Wright 2006, algorithm 7.4); steps are halved until they lower the energy."""

    memory: int = 20
    natural: bool = False
    searches: bool = True
    _pairs: list[tuple[Reals, Reals]] = field(default_factory=list)
    _last: tuple[Reals, Reals] | None = None

    def step(self, parameters: Reals, gradients: Reals) -> Reals:
        """The parameters after one step down."""
        if self._last is not None:
            moved, bent = parameters - self._last[0], gradients - self._last[1]
            if moved @ bent > 1e-12 * (moved @ moved) ** 0.5 * (bent @ bent) ** 0.5:
                self._pairs = [*self._pairs, (moved, bent)][-self.memory :]
        self._last = (parameters.copy(), gradients.copy())
        direction, shares = gradients.copy(), []
        for moved, bent in reversed(self._pairs):
            share = (moved @ direction) / (moved @ bent)
            direction -= share * bent
            shares.append(share)
        if self._pairs:
            moved, bent = self._pairs[-1]
            direction *= (moved @ bent) / (bent @ bent)
        else:
            direction /= max(1.0, float(np.linalg.norm(direction)))
        for (moved, bent), share in zip(self._pairs, reversed(shares), strict=True):
            direction += (share - (bent @ direction) / (moved @ bent)) * moved
        if direction @ gradients <= 0:  # rounding has spoilt the memory: start anew
            self._pairs, direction = [], gradients
        down: Reals = parameters - direction
        return down


@dataclass
class SPSA:
    """Simultaneous perturbation: the slope along a random direction from two values, whatever the number of parameters
    (Spall 1998, IEEE Trans. Aerosp. Electron. Syst. 34, 817; its gains)."""

    a: float = 0.2
    c: float = 0.1
    stability: float = 10.0
    alpha: float = 0.602
    gamma: float = 0.101
    seed: int = 0
    natural: bool = False
    searches: bool = False
    _time: int = 0
    _random: np.random.Generator | None = None

    def probe(self, parameters: Reals) -> Reals:
        """The displacement along which the next slope is taken: values at parameters plus and minus it."""
        if self._random is None:
            self._random = np.random.default_rng(self.seed)
        self._time += 1
        signs = self._random.integers(0, 2, parameters.size) * 2 - 1
        return np.asarray(self.c / self._time**self.gamma * signs, dtype=np.float64)

    def step(self, parameters: Reals, gradients: Reals) -> Reals:
        """The parameters after one step down."""
        gain = self.a / (self._time + self.stability) ** self.alpha
        moved: Reals = parameters - gain * gradients
        return moved


@dataclass
class VQEReport:
    """What minimize() found, and how.

    >>> import numpy as np
    >>> from skerry.vqe import VQEReport
    >>> print(VQEReport(-1.0, np.zeros(1), True, "why", 3, 4, 0, [-0.5, -1.0], [0.1, 0.0], 0.25))
    energy -1.0 after 3 iterations: why (4 executions, 0 from the cache, 0.25 s)
    """

    energy: float
    parameters: Reals
    converged: bool
    reason: str  #: why it stopped
    iterations: int
    executions: int  #: values and gradients that were computed
    cached: int  #: those that were found in the cache instead
    energies: list[float]  #: of the start and after each iteration
    gradient_norms: list[float]
    seconds: float

    def __str__(self) -> str:
        return (
            f"energy {self.energy} after {self.iterations} iterations: {self.reason} "
            f"({self.executions} executions, {self.cached} from the cache, {self.seconds:.2f} s)"
        )


class OptimizedVQE:
    """The variational quantum eigensolver with pluggable optimizer and gradients.

    ansatz: a circuit of gates with parameters. optimizer: GradientDescent, NaturalGradient (if none is given), Adam,
    LBFGS, SPSA, or anything with their attributes and step(). backend: the Simulator that runs it.
    parameter_shift_rule: True differentiates by shifted angles, False by differences, None by the adjoint method, which
    gives what the first does for the price of four runs.

    >>> import skerry
    >>> from skerry.vqe import OptimizedVQE
    >>> vqe = OptimizedVQE(skerry.Circuit(1).ry(skerry.Parameter("theta"), 0))
    >>> z = skerry.Observable.parse("Z0", 1)
    >>> round(vqe.compute_expectation(z, [0.0]), 6), vqe.parameter_shift_gradients(z, [1.5707963]).round(6)
    (1.0, array([-1.]))
    """

    def __init__(
        self,
        ansatz: Circuit,
        optimizer: Optimizer | None = None,
        backend: Simulator | None = None,
        *,
        parameter_shift_rule: bool | None = None,
        enable_gradient_caching: bool = True,
        convergence_threshold: float = 1e-6,
        max_iterations: int = 500,
        regularization: float = 1e-4,
    ) -> None:
        if not ansatz.parameters:
            raise InvalidArgument("the ansatz has no parameters", "ansatz")
        self.ansatz, self.optimizer, self.backend = ansatz, optimizer or NaturalGradient(), backend or Simulator()
        self.parameter_shift_rule = parameter_shift_rule
        self.enable_gradient_caching = enable_gradient_caching
        self.convergence_threshold = convergence_threshold
        self.max_iterations = max_iterations
        self.regularization = regularization
        self.executions = 0  #: values and gradients computed so far
        self.cached = 0  #: questions answered from the cache so far
        self._cache: OrderedDict[tuple[object, ...], tuple[Observable, float, Reals]] = OrderedDict()

    def compute_expectation(
        self, hamiltonian: Observable, parameters: ArrayLike, *, shots: int = 0, seed: int = 0
    ) -> float:
        """The energy: exact, or estimated from `shots` measurements of each group of terms that one basis serves."""
        point = self._point(parameters)
        self.executions += 1
        if shots == 0:
            return float(self.backend.expectation(self.ansatz, hamiltonian, point))
        return _sampled(self.backend, self.ansatz, hamiltonian, point, shots, seed)

    def parameter_shift_gradients(self, hamiltonian: Observable, parameters: ArrayLike) -> Reals:
        """The gradient from values at shifted angles; exact, also for shared, scaled and controlled angles."""
        return self._value_and_grad(hamiltonian, self._point(parameters), "parameter_shift")[1]

    def finite_difference_gradients(self, hamiltonian: Observable, parameters: ArrayLike) -> Reals:
        """The gradient from central differences."""
        return self._value_and_grad(hamiltonian, self._point(parameters), "finite_difference")[1]

    def quantum_fisher_information(self, parameters: ArrayLike) -> Reals:
        """The full quantum Fisher information matrix of the ansatz at these parameters."""
        return self.backend.fisher_information(self.ansatz, self._point(parameters).tolist())

    def compute_qfim_element(self, parameters: ArrayLike, i: int, j: int) -> float:
        """One element of quantum_fisher_information()."""
        return float(self.quantum_fisher_information(parameters)[i, j])

    def compute_natural_gradients(self, gradients: ArrayLike, parameters: ArrayLike) -> Reals:
        """The solution x of (F + regularization * 1) x = gradients; finite for a singular F, too."""
        information = self.quantum_fisher_information(parameters)
        shifted = information + self.regularization * np.eye(len(information))
        return np.asarray(np.linalg.solve(shifted, np.asarray(gradients, dtype=np.float64)))

    def optimize_parameters(self, hamiltonian: Observable, initial_parameters: ArrayLike) -> Reals:
        """The parameters after one step of the optimizer along the natural gradient."""
        point = self._point(initial_parameters)
        gradients = self._value_and_grad(hamiltonian, point, self._method())[1]
        return self.optimizer.step(point, self.compute_natural_gradients(gradients, point))

    def minimize(self, hamiltonian: Observable, initial_parameters: ArrayLike) -> VQEReport:
        """Steps down until the energy changes by less than convergence_threshold three times in a row, until no step
        lowers it, or for max_iterations."""
        started, executions, cached = time.perf_counter(), self.executions, self.cached
        point = self._point(initial_parameters)
        energy, gradients = self._look(hamiltonian, point)
        best = (energy, point)
        energies, norms = [energy], [float(np.linalg.norm(gradients))]
        converged, still = False, 0
        reason = f"stopped at max_iterations = {self.max_iterations}"
        for _ in range(self.max_iterations):
            moved = self._step(hamiltonian, point, energy, gradients)
            if moved is None:
                converged, reason = True, "no step lowers the energy any more"
                break
            before = energy
            point, energy, gradients = moved
            energies.append(energy)
            norms.append(float(np.linalg.norm(gradients)))
            best = min(best, (energy, point), key=lambda pair: pair[0])
            still = still + 1 if abs(before - energy) < self.convergence_threshold else 0
            if still == 3:
                converged = True
                reason = f"the energy changed by less than {self.convergence_threshold:g} three times in a row"
                break
        return VQEReport(
            energy=best[0],
            parameters=best[1],
            converged=converged,
            reason=reason,
            iterations=len(energies) - 1,
            executions=self.executions - executions,
            cached=self.cached - cached,
            energies=energies,
            gradient_norms=norms,
            seconds=time.perf_counter() - started,
        )

    def _point(self, parameters: ArrayLike) -> Reals:
        point = np.array(parameters, dtype=np.float64)
        if point.shape != (len(self.ansatz.parameters),):
            raise InvalidArgument(
                f"parameters of shape {point.shape} were given to an ansatz of {len(self.ansatz.parameters)}",
                "parameters",
            )
        return point

    def _method(self) -> GradientMethod:
        if self.parameter_shift_rule is None:
            return "adjoint"
        return "parameter_shift" if self.parameter_shift_rule else "finite_difference"

    def _value_and_grad(self, hamiltonian: Observable, point: Reals, method: GradientMethod) -> tuple[float, Reals]:
        # The observable is kept with its entry, so that its id stays its own.
        key = (id(hamiltonian), method, point.tobytes())
        found = self._cache.get(key) if self.enable_gradient_caching else None
        if found is not None:
            self.cached += 1
            self._cache.move_to_end(key)
            return found[1], found[2].copy()
        self.executions += 1
        value, gradients = self.backend.value_and_grad(self.ansatz, hamiltonian, point, method=method)
        if self.enable_gradient_caching:
            self._cache[key] = (hamiltonian, value, gradients)
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return value, gradients.copy()

    def _look(self, hamiltonian: Observable, point: Reals) -> tuple[float, Reals]:
        """Energy and what the optimizer takes for its gradient."""
        if not isinstance(self.optimizer, SPSA):
            return self._value_and_grad(hamiltonian, point, self._method())
        aside = self.optimizer.probe(point)
        self.executions += 3
        here, up, down = self.backend.expectation(
            self.ansatz, hamiltonian, [point.tolist(), (point + aside).tolist(), (point - aside).tolist()]
        )
        return float(here), (up - down) / (2 * aside)

    def _step(
        self, hamiltonian: Observable, point: Reals, energy: float, gradients: Reals
    ) -> tuple[Reals, float, Reals] | None:
        """The next point with its energy and gradient; None when a search finds no lower one."""
        downhill = self.compute_natural_gradients(gradients, point) if self.optimizer.natural else gradients
        moved = self.optimizer.step(point, downhill)
        if not self.optimizer.searches:
            return (moved, *self._look(hamiltonian, moved))
        promised = float(gradients @ (moved - point))
        for halving in range(_HALVINGS):
            trial = point + (moved - point) * 0.5**halving
            found, slope = self._look(hamiltonian, trial)
            if found <= energy + _ARMIJO * 0.5**halving * promised and not np.array_equal(trial, point):
                return trial, found, slope
        return None


def _terms(hamiltonian: Observable) -> list[tuple[float, dict[int, str]]]:
    """Weights and letters by qubit, from the observable's text."""
    terms: list[tuple[float, dict[int, str]]] = []
    weight, letters = 1.0, dict[int, str]()
    for word in [*hamiltonian.text.replace("*", " ").split(), "+"]:
        if word in "+-":
            terms.append((weight, letters))
            weight, letters = (-1.0 if word == "-" else 1.0), {}
        elif word[0] in "XYZ":
            letters[int(word[1:])] = word[0]
        elif word != "I":
            weight *= float(word)
    return terms


def _sampled(
    backend: Simulator, ansatz: Circuit, hamiltonian: Observable, point: Reals, shots: int, seed: int
) -> float:
    groups: list[tuple[dict[int, str], list[tuple[float, dict[int, str]]]]] = []
    for weight, letters in _terms(hamiltonian):
        for basis, members in groups:
            if all(basis.get(qubit, letter) == letter for qubit, letter in letters.items()):
                basis.update(letters)
                members.append((weight, letters))
                break
        else:
            groups.append((dict(letters), [(weight, letters)]))
    state = np.asarray(backend.run(ansatz, point.tolist()))
    total = 0.0
    for number, (basis, members) in enumerate(groups):
        turned = Circuit(ansatz.num_qubits)
        for qubit, letter in basis.items():
            if letter == "Y":
                turned.sdg(qubit)
            if letter != "Z":
                turned.h(qubit)
        counts = run(turned, shots=shots, seed=seed + number, initial_state=state).counts
        total += _mean(counts, members, shots)
    return total


def _mean(counts: dict[str, int], members: Sequence[tuple[float, dict[int, str]]], shots: int) -> float:
    total = 0.0
    for outcome, times in counts.items():
        for weight, letters in members:
            ones = sum(outcome[-1 - qubit] == "1" for qubit in letters)
            total += weight * times * (-1) ** ones
    return total / shots


__all__ = ["LBFGS", "SPSA", "Adam", "GradientDescent", "NaturalGradient", "OptimizedVQE", "Optimizer", "VQEReport"]
