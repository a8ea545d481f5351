#include <gtest/gtest.h>

#include <cmath>
#include <skerry/error.hpp>
#include <skerry/gaussian.hpp>

namespace skerry::photonic {
namespace {

TEST(GaussianState, ASqueezedVacuumHasTheClosedFormPhotonNumbers) {
  Circuit circuit(1);
  circuit.squeezing(0.7, 0.3, 0);
  GaussianState state(1);
  state.run(circuit);
  EXPECT_NEAR(state.mean_photons(0), std::pow(std::sinh(0.7), 2), 1e-13);
  const double t = std::tanh(0.7);
  double expected = 1 / std::cosh(0.7);
  for (std::uint32_t n = 0; n <= 12; n += 2) {
    EXPECT_NEAR(state.fock_probability(std::vector<std::uint32_t>{n}), expected, 1e-13);
    EXPECT_NEAR(state.fock_probability(std::vector<std::uint32_t>{n + 1}), 0, 1e-15);
    expected *= t * t * (n + 1) / (n + 2);
  }
}

TEST(GaussianState, LossOfACoherentStateIsASmallerCoherentState) {
  Circuit circuit(1);
  circuit.displacement(1.2, 0.4, 0).loss(0.3, 0);
  GaussianState state(1);
  state.run(circuit);
  const double mean = 0.3 * 1.44;
  double expected = std::exp(-mean);
  for (std::uint32_t n = 0; n < 8; ++n) {
    EXPECT_NEAR(state.fock_probability(std::vector<std::uint32_t>{n}), expected, 1e-14);
    expected *= mean / (n + 1);
  }
}

TEST(GaussianState, ThermalLossHeatsTheVacuumToThatManyPhotons) {
  Circuit circuit(1);
  circuit.thermal_loss(0.0, 1.5, 0);
  GaussianState state(1);
  EXPECT_NEAR(state.run(circuit).mean_photons(0), 1.5, 1e-13);
  circuit.thermal_loss(0.25, 0.0, 0);
  EXPECT_NEAR(GaussianState(1).run(circuit).mean_photons(0), 0.25 * 1.5, 1e-13);
}

TEST(GaussianState, RefusesAGateThatLeavesTheGaussians) {
  Circuit circuit(1);
  circuit.cubic_phase(0.1, 0);
  EXPECT_THROW(GaussianState(1).run(circuit), Error);
}

}  // namespace
}  // namespace skerry::photonic
