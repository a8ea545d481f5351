"""Gaussian states and hafnians against reference vectors, brute force, and the Fock simulator."""

import itertools
from collections.abc import Sequence

import cv_vectors as vectors
import numpy as np
import pytest
import skerry
from skerry import FockSimulator, PhotonicCircuit, cv

FILES = ["11_gaussian_2mode", "12_gaussian_4mode_lossy"]


def brute_force(matrix: np.ndarray, loops: Sequence[complex] | None, left: tuple[int, ...]) -> complex:
    if not left:
        return 1
    first, rest = left[0], left[1:]
    total = loops[first] * brute_force(matrix, loops, rest) if loops is not None else 0
    for k, other in enumerate(rest):
        total += matrix[first, other] * brute_force(matrix, loops, rest[:k] + rest[k + 1 :])
    return total


@pytest.mark.parametrize("n", range(10))
@pytest.mark.parametrize("is_complex", [False, True])
def test_hafnians_equal_brute_force(n: int, is_complex: bool) -> None:
    rng = np.random.default_rng(n)
    matrix = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if is_complex else 0)
    matrix = matrix + matrix.T
    loops = np.diagonal(matrix)
    everything = tuple(range(n))
    assert cv.hafnian(matrix) == pytest.approx(brute_force(matrix, None, everything), rel=1e-12, abs=1e-12)
    assert cv.loop_hafnian(matrix) == pytest.approx(brute_force(matrix, list(loops), everything), rel=1e-12, abs=1e-12)


def test_hafnians_equal_the_reference_vectors() -> None:
    for case in vectors.load("13_hafnian")["cases"]:
        matrix = vectors.array(case["matrix"])
        for actual, name in ((cv.hafnian(matrix), "hafnian"), (cv.loop_hafnian(matrix), "loop_hafnian")):
            expected = complex(*case[name])
            assert abs(actual - expected) <= 1e-10 * abs(expected)


def test_repeated_rows_equal_the_reference_vectors() -> None:
    for case in vectors.load("13_hafnian")["repeated"]:
        rows = np.repeat(np.arange(case["n"]), case["repeat"])
        actual = cv.hafnian(vectors.array(case["matrix"])[np.ix_(rows, rows)])
        assert actual == pytest.approx(complex(*case["hafnian"]), rel=1e-10)


def test_a_matrix_of_ones_counts_matchings_exactly() -> None:
    assert cv.hafnian(np.ones((20, 20))) == 654729075  # 19!!
    assert cv.loop_hafnian(np.ones((19, 19))) == 4809701440  # involutions of 19 elements


def state_of(data: dict[str, object]) -> cv.GaussianState:
    modes = data["modes"]
    assert isinstance(modes, int)
    gates = data["gates"]
    assert isinstance(gates, list)
    circuit = vectors.circuit_of(gates, modes)
    if data["loss_T_all_modes"] != 1:
        for mode in range(modes):
            circuit.append("loss", [data["loss_T_all_modes"]], [mode])
    return cv.GaussianState(modes).run(circuit)


@pytest.mark.parametrize("name", FILES)
def test_moments_and_probabilities_equal_the_reference_vectors(name: str) -> None:
    data = vectors.load(name)
    state = state_of(data)
    tolerance = data["tol_abs"]["complex128"]
    assert np.abs(state.mean - data["mean"]).max() <= tolerance
    assert np.abs(state.covariance - data["cov"]).max() <= tolerance
    for mode, photons in enumerate(data["mean_photons"]):
        assert state.mean_photons(mode) == pytest.approx(photons, abs=tolerance)
    for row in data["fock_probs"]:
        assert state.fock_probability(row["n"]) == pytest.approx(row["p"], abs=tolerance)
    for row in data["threshold"]:
        clicks = [bool(click) for click in row["clicks"]]
        assert state.threshold_probability(clicks) == pytest.approx(row["p"], abs=tolerance)


def squeezed_circuit(modes: int, seed: int, displaced: bool = True) -> PhotonicCircuit:
    rng = np.random.default_rng(seed)
    circuit = PhotonicCircuit(modes)
    for mode in range(modes):
        circuit.append("squeezing", [rng.uniform(0.1, 0.4), rng.uniform(0, 6)], [mode])
        if displaced:
            circuit.append("displacement", [rng.uniform(0, 0.4), rng.uniform(0, 6)], [mode])
    for mode in range(modes - 1):
        circuit.append("beam_splitter", [rng.uniform(0, 1.5), rng.uniform(0, 6)], [mode, mode + 1])
        circuit.append("rotation", [rng.uniform(0, 6)], [mode])
    return circuit.append("two_mode_squeezing", [0.2, 1.0], [modes - 1, 0])


def test_the_gaussian_and_the_fock_simulator_agree() -> None:
    circuit = squeezed_circuit(2, seed=3)
    state = cv.GaussianState(2).run(circuit)
    out = FockSimulator(circuit, [24, 24]).forward(np.zeros((1, 2)), np.zeros((1, 2)), ["kets", "x", "p", "n"])
    chances = np.abs(out["kets"].reshape(24, 24)) ** 2
    for n in itertools.product(range(5), repeat=2):
        assert state.fock_probability(list(n)) == pytest.approx(chances[n], abs=1e-9)
    assert np.allclose(state.mean, [*out["x"][0], *out["p"][0]], atol=1e-7)
    for clicks in itertools.product((False, True), repeat=2):
        cut = chances[tuple(slice(1, None) if click else slice(0, 1) for click in clicks)]
        assert state.threshold_probability(list(clicks)) == pytest.approx(cut.sum(), abs=1e-8)


def test_click_probabilities_of_a_lossy_state_add_up_and_equal_the_torontonian() -> None:
    modes = 4
    circuit = squeezed_circuit(modes, seed=4, displaced=False)
    for mode in range(modes):
        circuit.append("loss", [0.6], [mode])
    state = cv.GaussianState(modes).run(circuit)
    patterns = list(itertools.product((False, True), repeat=modes))
    chances = [state.threshold_probability(list(pattern)) for pattern in patterns]
    assert sum(chances) == pytest.approx(1, abs=1e-12)
    omega = np.block([[np.eye(modes), 1j * np.eye(modes)], [np.eye(modes), -1j * np.eye(modes)]]) / 2
    sigma = omega @ (state.covariance + np.eye(2 * modes)) @ omega.conj().T
    everywhere = cv.torontonian(np.eye(2 * modes) - np.linalg.inv(sigma)) / np.sqrt(np.linalg.det(sigma).real)
    assert chances[-1] == pytest.approx(everywhere, rel=1e-10)


def test_samples_follow_the_probabilities() -> None:
    circuit = squeezed_circuit(2, seed=5).append("loss", [0.8], [0])
    state = cv.GaussianState(2).run(circuit)
    shots = 4000
    photons = state.sample_photons(shots, cutoff=8, seed=1)
    assert np.array_equal(photons, state.sample_photons(shots, cutoff=8, seed=1))
    for n in itertools.product(range(3), repeat=2):
        expected = state.fock_probability(list(n))
        seen = (photons == n).all(axis=1).mean()
        assert abs(seen - expected) < 5 * np.sqrt(expected / shots) + 1e-3
    clicks = state.sample_clicks(shots, seed=2)
    for pattern in itertools.product((0, 1), repeat=2):
        expected = state.threshold_probability([bool(c) for c in pattern])
        assert abs((clicks == pattern).all(axis=1).mean() - expected) < 5 * np.sqrt(expected / shots)
    heterodyne = state.sample_heterodyne(shots, seed=3)
    assert np.abs(heterodyne.mean(axis=0) - state.mean).max() < 0.15
    assert np.abs(np.cov(heterodyne.T) - state.covariance - np.eye(4)).max() < 0.3


def test_homodyne_conditioning_equals_the_fock_ket_projected_on_a_quadrature() -> None:
    circuit = squeezed_circuit(2, seed=6)
    state = cv.GaussianState(2).run(circuit)
    cutoff, outcome = 40, 0.7
    ket = FockSimulator(circuit, [cutoff] * 2).forward(np.zeros((1, 2)), np.zeros((1, 2)), ["kets"])["kets"]
    phi = np.zeros(cutoff)
    phi[0] = (2 * np.pi) ** -0.25 * np.exp(-(outcome**2) / 4)
    phi[1] = outcome * phi[0]
    for n in range(1, cutoff - 1):
        phi[n + 1] = (outcome * phi[n] - np.sqrt(n) * phi[n - 1]) / np.sqrt(n + 1)
    left = phi @ ket.reshape(cutoff, cutoff)
    left /= np.linalg.norm(left)
    state.condition_homodyne(0, 0.0, outcome)
    number = (np.abs(left) ** 2 * np.arange(cutoff)).sum()
    assert state.mean_photons(1) == pytest.approx(number, abs=1e-6)
    assert state.mean_photons(0) == pytest.approx(0, abs=1e-12)
    again = cv.GaussianState(2).run(circuit)
    assert again.measure_homodyne(0, 0.0, 0.5) == pytest.approx(cv.GaussianState(2).run(circuit).mean[0], abs=1e-9)


def test_the_wigner_function_is_normalised_and_positive() -> None:
    state = cv.GaussianState(2).run(squeezed_circuit(2, seed=7))
    axis = np.linspace(-8, 8, 81)
    values = np.array([[state.wigner(1, x, p) for p in axis] for x in axis])
    assert values.min() >= 0
    assert values.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=1e-9)


def test_mistakes_are_refused() -> None:
    with pytest.raises(skerry.Unsupported, match="kerr does not keep states Gaussian"):
        cv.GaussianState(1).run(PhotonicCircuit(1).append("kerr", [0.1], [0]))
    with pytest.raises(skerry.InvalidArgument, match="3 photon numbers for 2 modes"):
        cv.GaussianState(2).fock_probability([0, 0, 0])
    with pytest.raises(skerry.LimitExceeded, match="60 rows"):
        cv.GaussianState(1).fock_probability([61])
    with pytest.raises(skerry.LimitExceeded):
        cv.hafnian(np.ones((62, 62)))
    with pytest.raises(skerry.TypeMismatch, match="not square"):
        cv.hafnian(np.ones((2, 3)))
    with pytest.raises(skerry.InvalidArgument, match="positive definite"):
        cv.torontonian(2 * np.eye(2))
    with pytest.raises(skerry.InvalidArgument, match="differs from its transpose"):
        cv.GaussianState.from_moments(np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]]))
