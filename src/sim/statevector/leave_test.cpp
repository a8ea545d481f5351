// Runs that are left between two gates and go on from there: nothing of the answers tells.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <skerry/checkpoint.hpp>

#include "base/thrown_by.hpp"
#include "sim/method.hpp"
#include "sim/state/random_circuits.hpp"

namespace skerry::sim {
namespace {

CircuitResult answers_of(const Circuit& circuit, const RunOptions& options) {
  base::MemoryBudget budget;
  const RunControl control;
  return find_method("statevector").prepare(circuit, options)->run({}, {budget, control});
}

/// Runs until it is asked for the n-th time, and leaves.
Interrupted leave(const Circuit& circuit, RunOptions options, int time) {
  double last = 0.0;
  options.limits.leave = [&](const Standing& at) {
    EXPECT_GT(at.done, last);
    EXPECT_GT(at.next, at.done);
    EXPECT_LE(at.next, 1.0);
    last = at.done;
    return time-- == 0;
  };
  try {
    answers_of(circuit, options);
  } catch (const Interrupted& left) {
    return left;
  }
  ADD_FAILURE() << "it was not left";
  return {Circuit(1), {}};
}

CircuitResult gone_on(const Interrupted& left, RunOptions options) {
  options.resume = std::make_shared<const Checkpoint>(left.checkpoint());
  options.initial_state.reset();
  return answers_of(left.circuit(), options);
}

void expect_equal_answers(const CircuitResult& a, const CircuitResult& b, double allowed) {
  EXPECT_EQ(a.counts, b.counts);
  EXPECT_EQ(a.memory, b.memory);
  ASSERT_EQ(a.expectations.size(), b.expectations.size());
  for (std::size_t i = 0; i < a.expectations.size(); ++i) EXPECT_NEAR(a.expectations[i], b.expectations[i], allowed);
  ASSERT_EQ(a.state.has_value(), b.state.has_value());
  if (!a.state) return;
  for (std::size_t i = 0; i < std::size_t{1} << a.state->num_wires(); ++i)
    ASSERT_LT(std::abs(a.state->amplitude(i) - b.state->amplitude(i)), allowed) << i;
}

TEST(Leaving, AtAnyPlaceAndGoingOnGivesWhatOneRunGives) {
  std::mt19937 random(3);
  for (const Precision precision : {Precision::double_precision, Precision::single_precision}) {
    for (const std::uint32_t wires : {3U, 12U}) {
      const Circuit circuit = random_circuit(wires, 1100, random);
      RunOptions options;
      options.precision = precision;
      options.want_state = true;
      options.observables = {random_strings(wires, 4, random)};
      options.shots = 200;
      options.seed = 11;
      options.want_memory = true;
      const CircuitResult whole = answers_of(circuit, options);
      for (int time = 0; time < 4; ++time) {
        const Interrupted left = leave(circuit, options, time);
        EXPECT_EQ(left.checkpoint().gates, 256U * static_cast<unsigned>(time + 1));
        expect_equal_answers(gone_on(left, options), whole, precision == Precision::double_precision ? 1e-11 : 1e-4);
      }
    }
  }
}

TEST(Leaving, WhatTheAnswersDoNotDependOnIsLeftBehind) {
  std::mt19937 random(4);
  Circuit circuit = random_circuit(13, 900, random, 1, 13);
  for (Wire wire = 5; wire < 13; ++wire) circuit.rx(0.1, wire);  // behind what is asked
  RunOptions options;
  options.observables = {Observable::parse("Z0 X1", 13)};
  const Interrupted left = leave(circuit, options, 1);
  EXPECT_LT(left.circuit().body().size(), circuit.body().size());
  expect_equal_answers(gone_on(left, options), answers_of(circuit, options), 1e-11);
}

TEST(Leaving, ARunThatMeasuresMidwayIsLeftBeforeItsFirstOutcomeAlone) {
  std::mt19937 random(5);
  Circuit circuit = random_circuit(6, 600, random);
  circuit.measure(0, 0).measure(1, 1);
  for (int i = 0; i < 600; ++i) circuit.rx(0.3, static_cast<Wire>(i % 6)).cx(0, 1);
  circuit.measure(0, 2).measure(3, 3);
  RunOptions options;
  options.shots = 300;
  options.seed = 8;
  const CircuitResult whole = answers_of(circuit, options);
  for (int time = 0; time < 2; ++time)
    expect_equal_answers(gone_on(leave(circuit, options, time), options), whole, 1e-11);
  int asked = 0;
  RunOptions all = options;
  all.limits.leave = [&](const Standing&) {
    ++asked;
    return false;
  };
  expect_equal_answers(answers_of(circuit, all), whole, 1e-11);
  EXPECT_EQ(asked, 2);
}

TEST(Leaving, AnInitialStateIsBehindTheCheckpoint) {
  std::mt19937 random(6);
  const Circuit circuit = random_circuit(4, 600, random, 1, 3);
  std::vector<std::complex<double>> start(16, 0.25);
  RunOptions options;
  options.initial_state = Tensor::from<std::complex<double>>(start, {16});
  options.observables = {random_strings(4, 3, random)};
  const CircuitResult whole = answers_of(circuit, options);
  expect_equal_answers(gone_on(leave(circuit, options, 1), options), whole, 1e-11);
}

TEST(Leaving, ACheckpointThatDoesNotFitIsRefused) {
  std::mt19937 random(7);
  const Circuit circuit = random_circuit(5, 600, random);
  RunOptions options;
  options.want_state = true;
  const Checkpoint good = leave(circuit, options, 0).checkpoint();
  const auto refusal = [&](Checkpoint bad, Precision precision = Precision::double_precision) {
    RunOptions asked = options;
    asked.precision = precision;
    asked.resume = std::make_shared<const Checkpoint>(std::move(bad));
    const Error error = base::thrown_by([&] { answers_of(circuit, asked); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  const auto of = [](std::uint64_t gates, Tensor state) {
    return Checkpoint{.method = "statevector", .gates = gates, .parts = {std::move(state)}};
  };
  EXPECT_NE(refusal(of(601, good.parts[0])).find("behind 601 gates and the circuit begins with 600"),
            std::string::npos);
  EXPECT_NE(refusal(of(1, Tensor(DType::c128, {16}))).find("c128[16]"), std::string::npos);
  EXPECT_NE(refusal(of(1, Tensor(DType::f64, {32}))).find("f64[32]"), std::string::npos);
  EXPECT_NE(refusal(of(1, Tensor(DType::c128, {32}))).find("squared norm 0"), std::string::npos);
  refusal(good, Precision::single_precision);
}

}  // namespace
}  // namespace skerry::sim
