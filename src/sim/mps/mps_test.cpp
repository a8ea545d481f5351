#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/state/random_circuits.hpp"

namespace skerry::sim {
namespace {

CircuitResult run(const Circuit& circuit, const RunOptions& options, const char* method = "mps",
                  std::span<const double> parameters = {}) {
  base::MemoryBudget budget;
  const RunControl control;
  return find_method(method).prepare(circuit, options)->run(parameters, {budget, control});
}

/// Layers of rx and rzz on neighbours, weak enough that few Schmidt coefficients count.
Circuit weak_chain(std::uint32_t wires, int layers, std::mt19937& random) {
  Circuit circuit(wires, wires);
  std::uniform_real_distribution<double> angle(0.05, 0.4);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire w = 0; w < wires; ++w) circuit.rx(angle(random), w);
    for (Wire w = static_cast<Wire>(layer % 2); w + 1 < wires; w += 2) circuit.rzz(angle(random), w, w + 1);
  }
  return circuit;
}

/// Distance of two state vectors.
double distance(const State& a, const State& b) {
  double sum = 0;
  for (std::uint64_t i = 0; i < std::uint64_t{1} << a.num_wires(); ++i)
    sum += std::norm(a.amplitude(i) - b.amplitude(i));
  return std::sqrt(sum);
}

TEST(Mps, StateExpectationsAndProbabilitiesEqualTheStateVector) {
  std::mt19937 random(1);
  for (std::uint32_t wires = 1; wires <= 9; ++wires) {
    for (int round = 0; round < 5; ++round) {
      const Circuit circuit = random_circuit(wires, 40, random, 2, 4);
      RunOptions options;
      options.want_state = true;
      options.observables = {random_strings(wires, 8, random)};
      options.want_probabilities = true;
      if (round % 2 == 1) options.probability_wires = {wires - 1};
      const CircuitResult got = run(circuit, options), wanted = run(circuit, options, "statevector");
      SCOPED_TRACE(std::to_string(wires) + " wires, round " + std::to_string(round));
      ASSERT_LT(distance(*got.state, *wanted.state), 1e-7 + got.error_bound);
      ASSERT_LE(got.error_bound, 1e-6);
      ASSERT_NEAR(got.expectations[0], wanted.expectations[0], 1e-6);
      for (std::size_t i = 0; i < wanted.probabilities->as<double>().size(); ++i)
        ASSERT_NEAR(got.probabilities->as<double>()[i], wanted.probabilities->as<double>()[i], 1e-7);
    }
  }
}

TEST(Mps, WithoutTruncationItIsExactToRounding) {
  std::mt19937 random(2);
  RunOptions options;
  options.want_state = true;
  options.truncation_threshold = 0.0;
  for (int round = 0; round < 6; ++round) {
    const Circuit circuit = random_circuit(8, 80, random, 2, 5);
    ASSERT_LT(distance(*run(circuit, options).state, *run(circuit, options, "statevector").state), 1e-11);
  }
}

TEST(Mps, TheErrorBoundHoldsAndIsOfUse) {
  std::mt19937 random(3);
  const Circuit circuit = weak_chain(12, 16, random);
  RunOptions options;
  options.want_state = true;
  const State exact = *run(circuit, options, "statevector").state;
  double last = 2.0;
  for (const std::uint32_t bond : {2U, 3U, 4U, 6U, 10U, 16U}) {
    options.max_bond_dimension = bond;
    const CircuitResult got = run(circuit, options);
    const double off = distance(*got.state, exact);
    EXPECT_LE(got.bond_dimension, bond);
    EXPECT_LE(off, got.error_bound + 1e-12) << bond;
    EXPECT_LT(off, last) << "a wider bond is nearer";
    EXPECT_GT(got.discarded_weight, 0.0);
    last = off;
  }
  EXPECT_LT(last, 1e-4);
}

TEST(Mps, ShotsFollowTheDistribution) {
  std::mt19937 random(4);
  const Circuit circuit = random_circuit(4, 40, random);
  RunOptions options;
  options.want_probabilities = true;
  const auto exact = *run(circuit, options, "statevector").probabilities;
  options.shots = 50'000;
  options.seed = 3;
  const Counts counts = run(circuit, options).counts;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double p = exact.as<double>()[counts.outcome(i)[0]];
    EXPECT_NEAR(static_cast<double>(counts.times(i)), 50'000 * p, 6 * std::sqrt(50'000 * p) + 1);
  }
  base::set_thread_budget(3);
  EXPECT_EQ(run(circuit, options).counts, counts);
  base::set_thread_budget(0);
}

TEST(Mps, ProgramsThatMeasureMidwayHaveTheDistributionOfTheStateVector) {
  std::mt19937 random(5);
  for (int round = 0; round < 12; ++round) {
    Circuit circuit = random_circuit(4, 12, random);
    circuit.measure(0, 0).reset(1);
    const BlockId then_block = circuit.open_block();
    circuit.rx(0.7, 2).cx(2, 3);
    circuit.close_block();
    circuit.if_else(circuit.expressions().leaf(ExprOp::bit, 0, {}), then_block);
    circuit.ry(1.1, 0).cz(0, 3);
    for (Wire wire = 1; wire < 4; ++wire) circuit.measure(wire, wire);
    RunOptions options;
    options.want_probabilities = true;
    options.observables = {random_strings(4, 8, random)};
    const CircuitResult got = run(circuit, options), wanted = run(circuit, options, "statevector");
    ASSERT_NEAR(got.expectations[0], wanted.expectations[0], 1e-7);
    for (std::size_t i = 0; i < 16; ++i)
      ASSERT_NEAR(got.probabilities->as<double>()[i], wanted.probabilities->as<double>()[i], 1e-8) << round << " " << i;
    RunOptions shots;
    shots.shots = 20'000;
    const Counts counts = run(circuit, shots).counts;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const double p = wanted.probabilities->as<double>()[counts.outcome(i)[0]];
      ASSERT_NEAR(static_cast<double>(counts.times(i)), 20'000 * p, 6 * std::sqrt(20'000 * p) + 1);
    }
  }
}

TEST(Mps, HundredsOfWiresStayCorrelatedAcrossTheChain) {
  constexpr std::uint32_t kWires = 300;
  Circuit circuit(kWires, kWires);
  circuit.ry(1.0, 0);
  for (Wire wire = 1; wire < kWires; ++wire) circuit.cx(wire - 1, wire);
  circuit.cx(0, kWires - 1).cx(kWires - 1, 0).t(5);
  circuit.measure_all();
  RunOptions options;
  options.shots = 300;
  options.observables = {Observable::parse("Z1 Z298", kWires), Observable::parse("Z7", kWires)};
  const CircuitResult result = run(circuit, options);
  EXPECT_EQ(result.bond_dimension, 2U);
  EXPECT_NEAR(result.expectations[0], 1.0, 1e-12);
  EXPECT_NEAR(result.expectations[1], std::cos(1.0), 1e-12);
  EXPECT_EQ(result.counts.size(), 2U);
}

TEST(Mps, SymbolicAnglesAreBoundAtRunTime) {
  Circuit circuit(3);
  const auto theta = circuit.parameter("theta");
  circuit.h(0).rzz(theta, 0, 2).rx(2 * theta, 1).cx(2, 1);
  RunOptions options;
  options.observables = {Observable::parse("X0 + 2*Z1 + 3*Y0 Z2", 3)};
  for (const double value : {0.0, 0.4, -2.5}) {
    const double parameters[] = {value};
    EXPECT_NEAR(run(circuit, options, "mps", parameters).expectations[0],
                run(circuit, options, "statevector", parameters).expectations[0], 1e-12);
  }
}

TEST(Mps, NeverChargesMoreThanItPredicts) {
  std::mt19937 random(6);
  for (const std::uint32_t bond : {0U, 3U}) {
    for (const std::uint64_t shots : {0U, 1000U}) {
      Circuit circuit = weak_chain(14, 5, random);
      RunOptions options;
      options.shots = shots;
      options.max_bond_dimension = bond;
      options.want_state = shots == 0;
      base::MemoryBudget budget;
      const RunControl control;
      const auto estimate = find_method("mps").estimate(circuit, options);
      const CircuitResult result = find_method("mps").prepare(circuit, options)->run({}, {budget, control});
      EXPECT_LE(budget.peak(), estimate->peak_bytes);
      EXPECT_GE(budget.peak() + 4096, estimate->peak_bytes);
      EXPECT_EQ(estimate->may_approximate, bond != 0);
    }
  }
}

TEST(Mps, SaysWhyItCannot) {
  std::mt19937 random(7);
  const Circuit deep = random_circuit(40, 4000, random, 2, 2);
  const auto& method = find_method("mps");
  EXPECT_NE(method.estimate(deep, {}).error().find("max_bond_dimension"), std::string::npos);
  RunOptions bounded;
  bounded.max_bond_dimension = 8;
  EXPECT_TRUE(method.estimate(deep, bounded)->may_approximate);
  Circuit wide(8);
  wide.append(Op::x, {0, 1, 2, 3, 4, 5}, {}, 5);
  EXPECT_NE(method.estimate(wide, {}).error().find("6 wires"), std::string::npos);
  RunOptions options;
  options.truncation_threshold = -1;
  EXPECT_THROW((void)method.estimate(Circuit(2), options), Error);
}

}  // namespace
}  // namespace skerry::sim
