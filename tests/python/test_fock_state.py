"""States in Fock space: phase space and loss against reference vectors, measurements against closed forms."""

import itertools

import cv_vectors as vectors
import numpy as np
import pytest
import skerry
from skerry import PhotonicCircuit
from skerry.cv import FockState


def phase_space_state(transmissivity: float) -> FockState:
    data = vectors.load("10_phase_space")
    alphas = list(vectors.array(data["alphas"]))
    circuit = vectors.circuit_of(data["gates"], data["modes"])
    if transmissivity != 1:
        circuit.append("loss", [transmissivity], [data["mode"]])
    return FockState.coherent([data["cutoff"]] * 2, alphas).run(circuit)


def test_loss_wigner_and_homodyne_equal_the_reference_vectors() -> None:
    data = vectors.load("10_phase_space")
    tolerance, mode = data["tol_abs"]["complex128"], data["mode"]
    for case in data["cases"]:
        state = phase_space_state(case["T"])
        assert state.is_pure == (case["T"] == 1)
        rho = state.reduced(mode)
        assert np.trace(rho).real == pytest.approx(case["trace"], abs=tolerance)
        assert np.trace(rho @ rho).real == pytest.approx(case["purity"], abs=tolerance)
        assert state.mean_photons(mode) == pytest.approx(case["n"], abs=tolerance)
        assert np.abs(np.diagonal(rho).real - case["probs"]).max() <= tolerance
        if case["rho"] is not None:
            assert np.abs(rho - vectors.array(case["rho"])).max() <= tolerance
        grid = case["wigner"]
        assert np.abs(state.wigner(mode, grid["x"], grid["p"]) - grid["W_x_by_p"]).max() <= tolerance
        for line in case["homodyne"]:
            density = state.homodyne_density(mode, line["theta"], line["x"])
            assert np.abs(density - line["pdf"]).max() <= tolerance


def test_homodyne_densities_of_one_mode_equal_the_reference_vectors() -> None:
    data = vectors.load("03_states_one_mode")
    for case in data["cases"]:
        state = FockState.coherent([data["cutoff"]], list(vectors.array(case["alphas"])))
        state.run(vectors.circuit_of(case["gates"], 1))
        density = state.homodyne_density(0, 0.0, case["homodyne_x0"]["x"])
        assert np.abs(density - case["homodyne_x0"]["pdf"]).max() <= data["tol_abs"]["complex128"]


def test_a_circuit_on_a_density_matrix_equals_the_one_on_its_ket() -> None:
    circuit = PhotonicCircuit(2)
    circuit.append("squeezing", [0.3, 0.5], [0]).append("displacement", [0.4, 1.0], [1]).append("kerr", [0.2], [0])
    circuit.append("beam_splitter", [0.7, 0.3], [1, 0]).append("cross_kerr", [0.4], [0, 1])
    circuit.append("cubic_phase", [0.05], [1]).append("two_mode_squeezing", [0.2, 0.9], [0, 1])
    pure = FockState.vacuum([6, 5]).run(circuit)
    mixed = FockState.vacuum([6, 5]).mixed().run(circuit)
    assert np.abs(mixed.data - pure.mixed().data).max() < 1e-14
    assert mixed.fidelity(pure) == pytest.approx(pure.trace() ** 2, abs=1e-12)


def test_thermal_noise_adds_its_photons() -> None:
    """Loss to nothing after an amplifier of the vacuum: a thermal state of gain - 1 photons."""
    amplified = FockState.vacuum([60]).run(PhotonicCircuit(1).append("amplifier", [1.5], [0]))
    assert np.abs(amplified.data - FockState.thermal(60, 0.5).data).max() < 1e-12
    lossy = amplified.run(PhotonicCircuit(1).append("loss", [0.4], [0]))
    assert np.abs(lossy.data - FockState.thermal(60, 0.2).data).max() < 1e-12


def test_gradients_by_a_transmissivity_reach_the_loss_channel() -> None:
    slope = []
    for shift in (1e-6, -1e-6):
        state = FockState.fock([5], [3]).run(PhotonicCircuit(1).append("loss", [0.6 + shift], [0]))
        slope.append(state.mean_photons(0))
    assert (slope[0] - slope[1]) / 2e-6 == pytest.approx(3, abs=1e-7)


def test_states_are_what_their_names_say() -> None:
    even, odd = FockState.cat(40, 2.0), FockState.cat(40, 2.0, np.pi)
    assert np.abs(even.data[1::2]).max() < 1e-15
    assert np.abs(odd.data[::2]).max() < 1e-15
    assert even.fidelity(odd) == pytest.approx(0, abs=1e-20)
    gkp = FockState.gkp(60, 0.1)
    spacing = 2 * np.sqrt(2 * np.pi)
    on, off = gkp.homodyne_density(0, 0.0, [spacing, spacing / 2])
    assert on > 50 * abs(off)
    assert FockState.thermal(80, 1.2).mean_photons(0) == pytest.approx(1.2, abs=1e-9)
    mean, variance = FockState.coherent([40], [1 + 0.5j]).quadrature(0, np.pi / 2)
    assert mean == pytest.approx(1.0)
    assert variance == pytest.approx(1.0)


def test_photon_counts_of_a_squeezed_pair_agree_and_condition() -> None:
    pair = PhotonicCircuit(2).append("two_mode_squeezing", [0.7, 0.2], [0, 1])
    state = FockState.vacuum([20, 20]).run(pair)
    samples = state.sample_photons(500, seed=3)
    assert (samples[:, 0] == samples[:, 1]).all()
    assert np.array_equal(samples, state.sample_photons(500, seed=3))
    found = state.measure_photons(0, 0.9)
    assert found >= 1
    assert state.probabilities()[found, found] == pytest.approx(1)
    other = FockState.vacuum([20, 20]).run(pair)
    assert other.select_photons(1, 2) == pytest.approx(np.tanh(0.7) ** 4 / np.cosh(0.7) ** 2)
    assert other.mean_photons(0) == pytest.approx(2)
    clicked = FockState.vacuum([20, 20]).run(pair)
    assert clicked.measure_click(0, 0.999)
    assert clicked.probabilities()[0, 0] == 0
    silent = FockState.vacuum([20, 20]).run(pair)
    assert not silent.measure_click(0, 0.0)
    assert silent.mean_photons(1) == pytest.approx(0)


@pytest.mark.parametrize("is_mixed", [False, True])
def test_homodyne_outcomes_follow_the_density_and_condition_the_other_mode(is_mixed: bool) -> None:
    circuit = PhotonicCircuit(2).append("two_mode_squeezing", [0.5, 0.0], [0, 1]).append("displacement", [0.3], [0])
    state = FockState.vacuum([16, 16]).run(circuit)
    state = state.mixed() if is_mixed else state
    mean, variance = state.quadrature(0)
    outcome = state.measure_homodyne(0, 0.0, 0.5)
    assert outcome == pytest.approx(mean, abs=1e-3)  # the median of a Gaussian
    # x1 given x0: the mean moves by the covariance over the variance, cov = sinh 2r.
    expected = np.sinh(1.0) / variance * (outcome - mean)
    assert state.quadrature(1)[0] == pytest.approx(expected, abs=1e-4)
    assert state.quadrature(1)[1] == pytest.approx(1 / np.cosh(1.0), abs=1e-3)
    assert state.mean_photons(0) == pytest.approx(0, abs=1e-12)


def test_homodyne_and_heterodyne_samples_have_the_right_moments() -> None:
    squeezed = FockState.vacuum([12]).run(PhotonicCircuit(1).append("squeezing", [0.4], [0]))
    for angle, variance in ((0.0, np.exp(-0.8)), (np.pi / 2, np.exp(0.8))):
        samples = squeezed.sample_homodyne([angle], 800, seed=4)
        assert samples.mean() == pytest.approx(0, abs=5 * np.sqrt(variance / 800))
        assert samples.var() == pytest.approx(variance, rel=0.2)
    grid = (np.arange(8) + 0.5) / 8
    alphas = []
    for u, v in itertools.product(grid, grid):
        state = FockState.coherent([14], [0.6 - 0.4j])
        alphas.append(state.measure_heterodyne(0, u, v))
    assert np.mean(alphas) == pytest.approx(0.6 - 0.4j, abs=0.02)
    assert np.var(np.real(alphas)) == pytest.approx(0.5, abs=0.1)


def test_teleportation_by_feed_forward_gives_the_input_on_average() -> None:
    """x of one port and p of the other displace the far half of the pair: x0 = x2 - sqrt(2) X, p0 = p2 + sqrt(2) P."""
    alpha = 0.3 + 0.2j
    circuit = PhotonicCircuit(3).append("two_mode_squeezing", [0.7, 0.0], [1, 2])
    circuit.append("beam_splitter", [np.pi / 4, 0.0], [1, 0])
    before = FockState.coherent([8, 14, 14], [alpha, 0, 0]).run(circuit)
    arrived = []
    for u, v in itertools.product((np.arange(8) + 0.5) / 8, repeat=2):
        state = FockState.from_ket([8, 14, 14], before.data)
        x = state.measure_homodyne(1, 0.0, u)
        p = state.measure_homodyne(0, np.pi / 2, v)
        shift = complex(-x, p) / np.sqrt(2)
        state.run(PhotonicCircuit(3).append("displacement", [abs(shift), float(np.angle(shift))], [2]))
        arrived.append(complex(state.quadrature(2, 0.0)[0], state.quadrature(2, np.pi / 2)[0]) / 2)
    assert np.mean(arrived) == pytest.approx(alpha, abs=0.03)


def test_impossible_outcomes_and_wrong_arguments_are_refused() -> None:
    with pytest.raises(skerry.InvalidArgument, match="probability 0"):
        FockState.vacuum([4]).select_photons(0, 2)
    with pytest.raises(skerry.OutOfRange, match="mode 1 of 1"):
        FockState.vacuum([4]).mean_photons(1)
    with pytest.raises(skerry.InvalidArgument, match="a ket of 3 amplitudes, not 4"):
        FockState.from_ket([4], np.zeros(3, complex))
    with pytest.raises(skerry.LimitExceeded):
        FockState.vacuum([64, 64, 64]).mixed()
    with pytest.raises(skerry.OutOfRange, match="random number"):
        FockState.vacuum([4]).measure_homodyne(0, 0.0, 1.5)
