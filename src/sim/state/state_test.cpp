#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <skerry/error.hpp>
#include <skerry/fidelity.hpp>
#include <skerry/state.hpp>

#include "sim/state/outcomes.hpp"

namespace skerry {
namespace {

State bell() {
  const double r = std::sqrt(0.5);
  const std::complex<double> amplitudes[] = {r, 0, 0, std::complex<double>(0, r)};
  return State(Tensor::from<std::complex<double>>(amplitudes, {4}));
}

TEST(State, AnswersQuestionsAboutItsAmplitudes) {
  const State state = bell();
  EXPECT_EQ(state.num_wires(), 2U);
  EXPECT_EQ(state.precision(), Precision::double_precision);
  EXPECT_EQ(state.amplitude(3), std::complex<double>(0, std::sqrt(0.5)));
  EXPECT_THROW(state.amplitude(4), Error);
  const std::uint32_t wires[] = {1};
  EXPECT_NEAR(state.probabilities(wires).as<double>()[1], 0.5, 1e-15);
  EXPECT_EQ(state.probabilities().shape(), Shape({4}));
  EXPECT_NEAR(state.expectation(Observable::parse("Z0 Z1", 2)), 1.0, 1e-15);
  EXPECT_NEAR(state.expectation(Observable::parse("X0 Y1", 2)), 1.0, 1e-15);
  EXPECT_NEAR(state.expectation(Observable::parse("X0 X1", 2)), 0.0, 1e-15);
  EXPECT_THROW(state.expectation(Observable(3)), Error);
  const std::uint32_t twice[] = {1, 1}, outside[] = {2};
  EXPECT_THROW(state.probabilities(twice), Error);
  EXPECT_THROW(state.probabilities(outside), Error);
}

/// Normal amplitudes of unit length, and the same in single precision.
std::pair<std::vector<std::complex<double>>, State> random_state(int wires, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<std::complex<double>> psi(std::size_t{1} << wires);
  double norm = 0;
  for (auto& z : psi) {
    z = {normal(random), normal(random)};
    norm += std::norm(z);
  }
  std::vector<std::complex<float>> single;
  for (auto& z : psi) {
    z /= std::sqrt(norm);
    single.emplace_back(z);
  }
  return {psi, State(Tensor::from<std::complex<float>>(single, {std::int64_t{1} << wires}))};
}

TEST(State, FidelityIsTheOverlapOfAnyPrecisions) {
  const auto [a, single] = random_state(7, 1);
  const auto [b, other] = random_state(7, 2);
  std::complex<double> overlap = 0;
  for (std::size_t i = 0; i < a.size(); ++i) overlap += std::conj(a[i]) * b[i];
  const State exact(Tensor::from<std::complex<double>>(b, {128}));
  EXPECT_NEAR(fidelity(single, exact), std::norm(overlap), 1e-6);
  EXPECT_NEAR(fidelity(exact, single), std::norm(overlap), 1e-6);
  EXPECT_NEAR(fidelity(exact, exact), 1.0, 1e-14);
  EXPECT_THROW(fidelity(exact, bell()), Error);
}

TEST(State, AReducedDensityMatrixIsTheSumOverTheOtherWires) {
  const auto [psi, single] = random_state(6, 3);
  const State state(Tensor::from<std::complex<double>>(psi, {64}));
  for (const std::vector<std::uint32_t>& wires : std::vector<std::vector<std::uint32_t>>{{}, {4}, {5, 0}, {1, 3, 2}}) {
    const std::size_t rows = std::size_t{1} << wires.size();
    std::uint64_t mask = 0;
    for (const std::uint32_t wire : wires) mask |= std::uint64_t{1} << wire;
    const auto row_of = [&](std::size_t i) {
      std::size_t row = 0;
      for (std::size_t j = 0; j < wires.size(); ++j) row |= (i >> wires[j] & 1) << j;
      return row;
    };
    std::vector<std::complex<double>> expected(rows * rows);
    for (std::size_t i = 0; i < 64; ++i)
      for (std::size_t j = 0; j < 64; ++j)
        if ((i & ~mask) == (j & ~mask)) expected[row_of(i) * rows + row_of(j)] += psi[i] * std::conj(psi[j]);
    const Tensor found = density_matrix(state, wires), near = density_matrix(single, wires);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LT(std::abs(found.as<std::complex<double>>()[i] - expected[i]), 1e-14);
      EXPECT_LT(std::abs(near.as<std::complex<double>>()[i] - expected[i]), 1e-6);
    }
  }
  const std::uint32_t twice[] = {1, 1}, outside[] = {6};
  EXPECT_THROW(density_matrix(state, twice), Error);
  EXPECT_THROW(density_matrix(state, outside), Error);
}

TEST(State, SamplesAreTheSameForTheSameSeed) {
  const State state = bell();
  const Counts counts = state.sample(10'000, 7);
  EXPECT_EQ(counts, state.sample(10'000, 7));
  EXPECT_NE(counts, state.sample(10'000, 8));
  EXPECT_EQ(counts.shots(), 10'000U);
  EXPECT_EQ(counts["00"] + counts["11"], 10'000U);
  EXPECT_NEAR(static_cast<double>(counts["00"]), 5000, 250);
  EXPECT_EQ(state.sample(0, 7).size(), 0U);
}

TEST(State, RefusesWhatIsNoState) {
  EXPECT_THROW(State(Tensor(DType::f64, {4})), Error);
  EXPECT_THROW(State(Tensor(DType::c128, {3})), Error);
  EXPECT_THROW(State(Tensor(DType::c128, {2, 2})), Error);
}

TEST(Counts, AreFoundByTheirText) {
  const Counts counts(70, {1, 0, 0, 1}, {4, 5});
  EXPECT_EQ(counts.text(0), std::string(69, '0') + "1");
  EXPECT_EQ(counts.text(1), std::string(5, '0') + "1" + std::string(64, '0'));
  EXPECT_EQ(counts[counts.text(1)], 5U);
  EXPECT_EQ(counts[std::string(70, '0')], 0U);
  EXPECT_EQ(counts.shots(), 9U);
  EXPECT_THROW(counts["01"], Error);
  EXPECT_THROW(counts[std::string(70, '2')], Error);
}

// Shots of few states are counted by state, others one by one; a run that branches has both.
TEST(Outcomes, CountTheSameWhicheverWayShotsComeIn) {
  constexpr std::uint64_t kShots = 1000, kFew = 900;
  const auto same = [](std::uint64_t shot) { return shot; };
  const auto draw = [](std::span<const std::uint64_t> ids, std::span<std::uint64_t> out) {
    for (std::size_t i = 0; i < ids.size(); ++i) out[i] = ids[i] * ids[i] % 7;
  };
  for (const std::uint32_t bits : {4U, 30U, 64U}) {  // counters for every outcome, or none
    const auto write = [bits](std::uint64_t state, std::span<std::uint64_t> out) {
      out[0] = state % 3 << (bits - 2);  // several states have one outcome
    };
    std::map<std::uint64_t, std::uint64_t> expected;
    for (std::uint64_t shot = 0; shot < kShots; ++shot) ++expected[shot * shot % 7 % 3 << (bits - 2)];
    for (const bool few_first : {true, false}) {
      sim::Outcomes outcomes({bits, kShots}, base::MemoryBudget());
      const RunControl control;
      if (few_first) outcomes.record(0, kFew, control, same, draw, write, 7);
      outcomes.record(few_first ? kFew : 0, few_first ? kShots - kFew : kFew, control, same, draw, write, 0);
      if (!few_first) outcomes.record(kFew, kShots - kFew, control, same, draw, write, 7);
      const Counts counts = outcomes.counts();
      ASSERT_EQ(counts.size(), expected.size()) << bits;
      std::size_t i = 0;
      for (const auto& [outcome, times] : expected) {
        EXPECT_EQ(counts.outcome(i)[0], outcome) << bits;
        EXPECT_EQ(counts.times(i++), times) << bits;
      }
    }
  }
}

}  // namespace
}  // namespace skerry
