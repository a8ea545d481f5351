#include <gtest/gtest.h>

#include <cmath>
#include <skerry/error.hpp>

#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/noise/dense_noise.hpp"

namespace skerry::sim {
namespace {

CircuitResult run(std::string_view method, const Circuit& circuit, RunOptions options, const NoiseModel& noise) {
  options.noise = std::make_shared<NoiseModel>(noise);
  base::MemoryBudget budget;
  CircuitResult result = find_method(method).prepare(circuit, options)->run({}, {budget, {}});
  EXPECT_LE(budget.peak(), find_method(method).estimate(circuit, options)->peak_bytes);
  return result;
}

Circuit scrambled(std::uint32_t wires, std::uint64_t seed, int layers = 2) {
  base::Philox random(seed);
  const auto angle = [&] { return 6.0 * random.uniform(); };
  Circuit circuit(wires);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire w = 0; w < wires; ++w) circuit.u(angle(), angle(), angle(), w);
    for (Wire w = 0; w + 1 < wires; ++w) {
      if (w % 3 == 0) circuit.cx(w, w + 1);
      if (w % 3 == 1) circuit.cp(angle(), w, w + 1);
      if (w % 3 == 2) circuit.rxx(angle(), w, w + 1);
    }
  }
  return circuit;
}

/// Every Pauli string of up to two letters.
std::vector<Observable> many_observables(std::uint32_t wires) {
  std::vector<Observable> out;
  for (std::uint32_t a = 0; a < wires; ++a)
    for (const char* letters : {"XX", "YZ", "ZY", "IZ", "YI"}) {
      Observable o(wires);
      const std::uint32_t on[] = {a, (a + 1) % wires};
      o.add(letters, on, 1.0);
      out.push_back(o);
    }
  return out;
}

void expect_within_five_sigma(const CircuitResult& drawn, const CircuitResult& exact) {
  for (std::size_t i = 0; i < exact.expectations.size(); ++i) {
    // The error is an estimate itself, so a value that never varied may be off by what was never drawn.
    EXPECT_NEAR(drawn.expectations[i], exact.expectations[i], 5 * drawn.standard_errors[i] + 2e-3) << i;
  }
}

TEST(Trajectories, OfEveryChannelAgreeWithTheDensityMatrix) {
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    for (const Channel& channel : sample_channels()) {
      SCOPED_TRACE(channel.text());
      const Circuit circuit = scrambled(3, 8);
      NoiseModel noise;
      noise.add("*", channel);
      RunOptions options{.shots = 4000, .seed = 1, .precision = precision};
      options.observables = many_observables(3);
      expect_within_five_sigma(run("trajectories", circuit, options, noise), run("density", circuit, options, noise));
    }
  }
}

TEST(Trajectories, CountsAndProbabilitiesAgreeWithTheDensityMatrix) {
  Circuit circuit = scrambled(4, 3);
  NoiseModel noise;
  noise.add("*", Channel::depolarizing(0.1)).add("*", Channel::amplitude_damping(0.1), {}, {});
  noise.add("cx", Channel::depolarizing(0.2, 2)).add_readout({0.95, 0.05, 0.1, 0.9});
  RunOptions options{.shots = 20000, .seed = 5};
  options.want_probabilities = true;
  const CircuitResult drawn = run("trajectories", circuit, options, noise);
  const CircuitResult exact = run("density", circuit, options, noise);
  const auto p = exact.probabilities->as<double>();
  for (std::size_t i = 0; i < 16; ++i) {
    const double sigma = std::sqrt(p[i] * (1 - p[i]) / 20000);
    EXPECT_NEAR(drawn.probabilities->as<double>()[i], p[i], 5 * sigma);
    std::string name;
    for (std::size_t bit = 4; bit-- > 0;) name += (i >> bit & 1) != 0 ? '1' : '0';
    EXPECT_NEAR(static_cast<double>(drawn.counts[name]) / 20000, p[i], 5 * sigma) << name;
  }
}

TEST(Trajectories, WithoutEventsAreDrawnFromTheNoiselessState) {
  const Circuit circuit = scrambled(5, 2, 4);
  NoiseModel noise;
  noise.add("*", Channel::depolarizing(1e-4)).add("*", Channel::depolarizing(1e-4, 2));
  RunOptions options{.shots = 50000, .seed = 5};
  options.observables = many_observables(5);
  options.want_probabilities = true;
  const CircuitResult drawn = run("trajectories", circuit, options, noise);
  const CircuitResult exact = run("density", circuit, options, noise);
  expect_within_five_sigma(drawn, exact);
  const auto p = exact.probabilities->as<double>();
  for (std::size_t i = 0; i < 32; ++i) EXPECT_NEAR(drawn.probabilities->as<double>()[i], p[i], 2e-3);
}

TEST(Trajectories, GiveTheSameCountsForAnyNumberOfThreads) {
  Circuit circuit = scrambled(6, 7, 3);
  NoiseModel noise;
  noise.add("*", Channel::depolarizing(0.02)).add("cx", Channel::kraus(sample_channels().back().operators()));
  RunOptions options{.shots = 3000, .seed = 9, .want_memory = true};
  options.observables = many_observables(6);
  options.want_probabilities = true;
  std::vector<CircuitResult> results;
  for (const int threads : {1, 2, 3}) {
    const base::ThreadLimit limit(threads);
    results.push_back(run("trajectories", circuit, options, noise));
  }
  for (const CircuitResult& other : results) {
    EXPECT_EQ(results[0].counts, other.counts);
    EXPECT_EQ(results[0].memory, other.memory);
    EXPECT_EQ(results[0].expectations, other.expectations);
    EXPECT_TRUE(std::ranges::equal(results[0].probabilities->as<double>(), other.probabilities->as<double>()));
  }
}

TEST(Trajectories, AreAPrefixOfALongerRunWithTheSameSeed) {
  const Circuit circuit = scrambled(4, 7);
  NoiseModel noise;
  noise.add("*", Channel::depolarizing(0.05));
  const auto few = run("trajectories", circuit, {.shots = 50, .seed = 3, .want_memory = true}, noise).memory;
  const auto many = run("trajectories", circuit, {.shots = 500, .seed = 3, .want_memory = true}, noise).memory;
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
}

Circuit coin_toss() {
  // Tosses until heads, at most so often as a loop allows; then a rotation that the tosses choose.
  Circuit circuit(3, 3);
  circuit.h(0).measure(0, 0);
  auto& pool = circuit.expressions();
  const ExprId tails = pool.leaf(ExprOp::bit, 0, {ScalarKind::boolean, 1});
  const BlockId again = circuit.open_block();
  circuit.x(0).ry(0.9, 1).h(0).measure(0, 0);
  circuit.close_block();
  circuit.while_loop(tails, again);
  const BlockId then = circuit.open_block();
  circuit.cx(1, 2);
  circuit.close_block();
  const BlockId other = circuit.open_block();
  circuit.x(2);
  circuit.close_block();
  circuit.measure(1, 1).if_else(pool.leaf(ExprOp::bit, 1, {ScalarKind::boolean, 1}), then, other);
  circuit.measure(2, 2).reset(1);
  return circuit;
}

TEST(Trajectories, GoTheirOwnWaysThroughLoopsAndBranches) {
  const Circuit circuit = coin_toss();
  RunOptions options{.shots = 20000, .seed = 4};
  const CircuitResult drawn = run("trajectories", circuit, options, {});
  base::MemoryBudget budget;
  const CircuitResult exact = find_method("statevector").prepare(circuit, options)->run({}, {budget, {}});
  for (std::size_t i = 0; i < exact.counts.size(); ++i) {
    const auto want = static_cast<double>(exact.counts.times(i));
    EXPECT_NEAR(static_cast<double>(drawn.counts[exact.counts.text(i)]), want, 5 * std::sqrt(2 * want) + 5);
  }
  NoiseModel noise;
  noise.add("x", Channel::amplitude_damping(0.3)).add("ry", Channel::depolarizing(0.2));
  std::vector<Counts> counts;
  for (const int threads : {1, 3}) {
    const base::ThreadLimit limit(threads);
    counts.push_back(run("trajectories", circuit, options, noise).counts);
  }
  EXPECT_EQ(counts[0], counts[1]);
}

TEST(Trajectories, BranchingProgramsAgreeWithTheDensityMatrix) {
  Circuit circuit(3, 2);
  circuit.h(0).ry(0.7, 1).cx(0, 1).measure(0, 0);
  auto& pool = circuit.expressions();
  const BlockId then = circuit.open_block();
  circuit.u(0.3, 0.4, 0.5, 1).rzz(0.6, 1, 2).ccx(0, 1, 2);
  circuit.close_block();
  circuit.if_else(pool.leaf(ExprOp::bit, 0, {ScalarKind::boolean, 1}), then).reset(0).h(0).measure(1, 1).h(2);
  for (const Channel& channel : sample_channels()) {
    NoiseModel noise;
    noise.add("*", channel).add_readout({0.9, 0.1, 0.2, 0.8});
    RunOptions options{.shots = 8000, .seed = 2};
    options.observables = many_observables(3);
    SCOPED_TRACE(channel.text());
    const auto drawn = run("trajectories", circuit, options, noise), exact = run("density", circuit, options, noise);
    expect_within_five_sigma(drawn, exact);
    for (const char* name : {"00", "01", "10", "11"}) {
      const auto want = static_cast<double>(exact.counts[name]);
      EXPECT_NEAR(static_cast<double>(drawn.counts[name]), want, 5 * std::sqrt(2 * want)) << name;
    }
  }
}

TEST(Trajectories, MeasureMidwayAndStartAnywhere) {
  Circuit circuit(3, 2);
  circuit.h(0).cx(0, 1).measure(1, 0).h(1).reset(0).cx(1, 2).measure(2, 1);
  const Dense psi = run_dense(scrambled(3, 12));
  NoiseModel noise;
  noise.add("*", Channel::phase_damping(0.3)).add_readout({0.9, 0.1, 0.2, 0.8}, {1});
  RunOptions options{.shots = 20000, .seed = 2};
  options.initial_state = Tensor::from<std::complex<double>>(psi, {8});
  options.observables = many_observables(3);
  options.want_probabilities = true;
  const auto drawn = run("trajectories", circuit, options, noise), exact = run("density", circuit, options, noise);
  expect_within_five_sigma(drawn, exact);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(drawn.probabilities->as<double>()[i], exact.probabilities->as<double>()[i], 0.02);
}

TEST(Trajectories, OfWideMixturesAndGatesAgreeWithTheDensityMatrix) {
  const Circuit wide = [] {
    Circuit c = scrambled(4, 6);
    c.ccx(0, 2, 3).append(Op::swap, {1, 3, 0}, {}, 1);
    return c;
  }();
  // Now and then a rotation about X on all three wires: no product over them.
  Matrix turn{3, std::vector<std::complex<double>>(64)};
  for (std::size_t i = 0; i < 8; ++i) {
    turn.values[i * 8 + i] = std::cos(0.4);
    turn.values[i * 8 + (7 - i)] = std::complex<double>(0, -std::sin(0.4));
  }
  Matrix one{3, std::vector<std::complex<double>>(64)};
  for (std::size_t i = 0; i < 8; ++i) one.values[i * 9] = 1;
  const std::vector<std::pair<double, Matrix>> terms = {{0.5, one}, {0.5, turn}};
  NoiseModel noise;
  noise.add("*", Channel::mixed_unitary(terms)).add("*", Channel::uniform_pauli(0.3, 3));
  RunOptions options{.shots = 20000, .seed = 6};
  options.observables = many_observables(4);
  expect_within_five_sigma(run("trajectories", wide, options, noise), run("density", wide, options, noise));
}

TEST(Trajectories, SayWhyNot) {
  Circuit circuit(3);
  circuit.ccx(0, 1, 2);
  const auto reason = [&](const RunOptions& options) {
    const auto estimate = find_method("trajectories").estimate(circuit, options);
    return estimate ? std::string() : estimate.error();
  };
  EXPECT_NE(reason({}).find("shots"), std::string::npos);
  EXPECT_NE(reason({.shots = 1, .want_density = true}).find("density"), std::string::npos);
  // All three wires fall at once: no unitaries, and too wide to be chosen by a reduced matrix.
  std::vector<Matrix> fall = {{3, std::vector<std::complex<double>>(64)}, {3, std::vector<std::complex<double>>(64)}};
  for (std::size_t i = 0; i < 7; ++i) fall[0].values[i * 9] = 1;
  fall[1].values[7] = 1;
  NoiseModel noise;
  noise.add("ccx", Channel::kraus(fall));
  EXPECT_NE(reason({.shots = 1, .noise = std::make_shared<NoiseModel>(noise)}).find("no mixture"), std::string::npos);
}

/// Half of the shots see a flip that stands in the circuit itself.
TEST(Trajectories, DrawTheChannelsOfTheCircuit) {
  Circuit circuit(2, 2);
  const Wire wire = 1;
  circuit.x(0).channel(Channel::bit_flip(0.5), std::span(&wire, 1)).measure(0, 0).measure(1, 1);
  RunOptions options;
  options.shots = 4000;
  base::MemoryBudget budget;
  const auto counts = find_method("trajectories").prepare(circuit, options)->run({}, {budget, {}}).counts;
  EXPECT_EQ(counts["01"] + counts["11"], 4000U);
  EXPECT_NEAR(static_cast<double>(counts["11"]), 2000, 5 * std::sqrt(1000.0));
}

}  // namespace
}  // namespace skerry::sim
