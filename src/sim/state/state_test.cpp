#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <skerry/error.hpp>
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
