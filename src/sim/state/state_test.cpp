#include <gtest/gtest.h>

#include <cmath>
#include <skerry/error.hpp>
#include <skerry/state.hpp>

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

}  // namespace
}  // namespace skerry
