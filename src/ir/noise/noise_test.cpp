#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <skerry/error.hpp>
#include <skerry/noise.hpp>

#include "base/thrown_by.hpp"

namespace skerry {
namespace {

using Dense = std::vector<std::complex<double>>;

/// sum K rho K^dagger on the channel's own wires.
Dense image(const Channel& channel, const Dense& rho) {
  const std::size_t n = std::size_t{1} << channel.wires();
  Dense out(n * n);
  for (const Matrix& k : channel.operators())
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t c = 0; c < n; ++c)
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t j = 0; j < n; ++j)
            out[r * n + c] += k.values[r * n + i] * rho[i * n + j] * std::conj(k.values[c * n + j]);
  return out;
}

void expect_same(const Dense& a, const Dense& b) {
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(std::abs(a[i] - b[i]), 0, 1e-14) << i;
}

const Dense kState = {0.7, {0.1, -0.3}, {0.1, 0.3}, 0.3};

TEST(Channel, DepolarizingMixesInTheIdentityAndUniformPauliDoesNot) {
  const Dense mixed = image(Channel::depolarizing(0.2), kState);
  expect_same(mixed, {0.8 * 0.7 + 0.1, {0.08, -0.24}, {0.08, 0.24}, 0.8 * 0.3 + 0.1});
  expect_same(image(Channel::uniform_pauli(0.15), kState), mixed);
  // On two wires: 16/15 of the one is the other.
  Dense two(16);
  two[5] = 1;
  expect_same(image(Channel::depolarizing(0.32, 2), two), image(Channel::uniform_pauli(0.3, 2), two));
  EXPECT_NO_THROW(Channel::depolarizing(4.0 / 3));
  EXPECT_THROW(Channel::depolarizing(1.34), Error);
}

TEST(Channel, FlipsAndDampingsAreTheirClosedForms) {
  expect_same(image(Channel::bit_flip(1), kState), {0.3, {0.1, 0.3}, {0.1, -0.3}, 0.7});
  expect_same(image(Channel::phase_flip(0.5), kState), {0.7, 0, 0, 0.3});
  expect_same(image(Channel::bit_phase_flip(1), kState), {0.3, {-0.1, -0.3}, {-0.1, 0.3}, 0.7});
  expect_same(image(Channel::amplitude_damping(0.36), kState), {0.7 + 0.36 * 0.3, {0.08, -0.24}, {0.08, 0.24}, 0.192});
  expect_same(image(Channel::phase_damping(0.36), kState), {0.7, {0.08, -0.24}, {0.08, 0.24}, 0.3});
  expect_same(image(Channel::generalized_amplitude_damping(1, 0.25), kState), {0.75, 0, 0, 0.25});
  expect_same(image(Channel::reset(0.6, 0.4), kState), {0.6, 0, 0, 0.4});
}

TEST(Channel, ThermalRelaxationTakesInfiniteTimes) {
  const double never = std::numeric_limits<double>::infinity();
  expect_same(image(Channel::thermal_relaxation(never, never, 5), kState), kState);
  const double shrunk = std::exp(-2.5);
  expect_same(image(Channel::thermal_relaxation(never, 2, 5), kState),
              {0.7, shrunk * kState[1], shrunk * kState[2], 0.3});
}

TEST(Channel, PauliStringsReadLikeBitStrings) {
  const std::pair<std::string, double> term = {"XI", 1.0};
  Dense zero(16);
  zero[0] = 1;
  Dense two(16);
  two[2 * 4 + 2] = 1;
  expect_same(image(Channel::pauli(std::span(&term, 1)), zero), two);
}

TEST(Channel, ThenIsTheSecondAfterTheFirst) {
  const Channel a = Channel::amplitude_damping(0.3), b = Channel::unitary({1, {0.6, 0.8, -0.8, 0.6}});
  expect_same(image(a.then(b), kState), image(b, image(a, kState)));
  EXPECT_THROW(static_cast<void>(a.then(Channel::depolarizing(0.1, 2))), Error);
}

TEST(Channel, EveryKindIsMadeByItsName) {
  for (const ChannelKind& kind : channel_kinds()) {
    std::vector<double> numbers(kind.required, 0.3);
    const Channel channel = Channel::named(kind.name, numbers);
    EXPECT_EQ(channel.kind(), kind.name);
    EXPECT_EQ(channel.numbers().size(), kind.numbers.size());
    numbers.assign(kind.numbers.size() + 1, 0.3);
    EXPECT_THROW(Channel::named(kind.name, numbers), Error);
  }
  EXPECT_EQ(base::thrown_by([] { Channel::named("noise", {}); }).code(), ErrorCode::not_found);
}

TEST(Channel, RefusesWhatIsNoneAndNamesIt) {
  const double nan = std::nan("");
  EXPECT_NE(std::string(base::thrown_by([] { Channel::amplitude_damping(-0.1); }).what()).find("amplitude_damping"),
            std::string::npos);
  EXPECT_THROW(Channel::bit_flip(nan), Error);
  EXPECT_THROW(Channel::thermal_relaxation(1, 2.1, 1), Error);
  EXPECT_THROW(Channel::thermal_relaxation(nan, 1, 1), Error);
  EXPECT_THROW(Channel::reset(0.6, 0.5), Error);
  EXPECT_THROW(Channel::kraus({}), Error);
  EXPECT_THROW(Channel::kraus({{1, {nan, 0, 0, 1}}}), Error);
  EXPECT_THROW(Channel::kraus({{1, {1, 0, 0, 1}}, {2, Dense(16)}}), Error);
  EXPECT_THROW(Channel::unitary({1, {1, 1e-4, 0, 1}}), Error);
  EXPECT_NO_THROW(Channel::unitary({1, {1, 1e-9, 0, 1}}));
  // Neither is a unitary, though their mixture preserves the trace.
  const std::vector<std::pair<double, Matrix>> terms = {{0.5, {1, {std::sqrt(2), 0, 0, 0}}},
                                                        {0.5, {1, {0, 0, 0, std::sqrt(2)}}}};
  EXPECT_THROW(Channel::mixed_unitary(terms), Error);
}

TEST(NoiseModel, RefusesWiresThatFitNoChannel) {
  NoiseModel noise;
  EXPECT_THROW(noise.add("cx", Channel::bit_flip(0.1), {1, 1}), Error);
  EXPECT_THROW(noise.add("cx", Channel::depolarizing(0.1, 2), {}, {0}), Error);
  EXPECT_THROW(noise.add("ccx", Channel::depolarizing(0.1, 2), {0, 1, 2}), Error);
  EXPECT_THROW(noise.add("*", Channel::bit_flip(0.1), {1}), Error);
  EXPECT_THROW(noise.add_readout({0.5, 0.4, 0, 1}), Error);
  EXPECT_TRUE(noise.empty());
}

TEST(NoiseModel, TheLastParticularReadoutRuleCounts) {
  NoiseModel noise;
  noise.add_readout({0.9, 0.1, 0, 1}, {2}).add_readout({0.8, 0.2, 0, 1}).add_readout({0.7, 0.3, 0, 1}, {2, 3});
  EXPECT_EQ(noise.readout(0)[1], 0.2);
  EXPECT_EQ(noise.readout(2)[1], 0.3);
}

}  // namespace
}  // namespace skerry
