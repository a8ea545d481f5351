#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/state/random_circuits.hpp"
#include "sim/statevector/dense_oracle.hpp"

namespace skerry::sim {
namespace {

double tolerance(Precision precision) {
  return precision == Precision::single_precision ? 1e-5 : 1e-12;
}

CircuitResult run_vector(const Circuit& circuit, const RunOptions& options, std::span<const double> parameters = {}) {
  base::MemoryBudget budget;
  const RunControl control;
  return find_method("statevector").prepare(circuit, options)->run(parameters, {budget, control});
}

void expect_state(const CircuitResult& result, const Dense& expected, double allowed) {
  ASSERT_TRUE(result.state.has_value());
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_LT(std::abs(result.state->amplitude(i) - expected[i]), allowed) << "amplitude " << i;
}

class BothPrecisions : public testing::TestWithParam<std::tuple<Precision, int>> {
 protected:
  void SetUp() override { base::set_thread_budget(std::get<1>(GetParam())); }
  void TearDown() override { base::set_thread_budget(0); }
  Precision precision() const { return std::get<0>(GetParam()); }
  double allowed() const { return tolerance(precision()); }
};
INSTANTIATE_TEST_SUITE_P(Threads, BothPrecisions,
                         testing::Combine(testing::Values(Precision::single_precision, Precision::double_precision),
                                          testing::Values(1, 2)));

TEST_P(BothPrecisions, EveryGateOnEveryWireWithControlsEqualsTheDenseOracle) {
  std::mt19937 random(1);
  constexpr std::uint32_t kWires = 4;
  for (std::uint16_t index = 0; index < kGateCount; ++index) {
    const auto op = static_cast<Op>(index);
    const auto targets = static_cast<std::size_t>(gate_targets(op));
    for (std::size_t controls = 0; targets + controls <= kWires; ++controls) {
      std::vector<Wire> order(kWires);
      std::iota(order.begin(), order.end(), 0U);
      std::set<std::vector<Wire>> seen;
      do {
        const std::vector<Wire> wires(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(targets + controls));
        if (!seen.insert(wires).second) continue;
        Circuit circuit = random_circuit(kWires, 3, random, 64);
        std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)));
        for (auto& p : params) p.value = static_cast<double>(random() % 1000) / 100;
        circuit.append(op, wires, params, static_cast<std::uint16_t>(controls));
        RunOptions options;
        options.precision = precision();
        options.want_state = true;
        SCOPED_TRACE(std::string(op_name(op)) + " with " + std::to_string(controls) + " controls");
        expect_state(run_vector(circuit, options), run_dense(circuit), allowed());
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST_P(BothPrecisions, ABlockThatThreadsShareHasTheBitsOfOne) {
  // From |0> the first sweeps have one block of 2^16 amplitudes and more, with phases that change from tile to tile.
  constexpr std::uint32_t wires = 20;
  std::mt19937 random(4);
  Circuit circuit(wires);
  for (Wire layer = 0; layer < 3; ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.u(0.1 + wire, 0.2 + layer, 0.3, wire);
    for (Wire wire = 0; wire < wires; ++wire)
      circuit.cp(0.1 * static_cast<double>(random() % 60), wire,
                 static_cast<Wire>((wire + 1 + random() % (wires - 1)) % wires));
    circuit.cx(layer, 9).swap(3, 11).rzz(0.4, 15, layer);
  }
  RunOptions options{.precision = precision()};
  options.want_state = true;
  const auto with_threads = [&](int threads) {
    base::set_thread_budget(threads);
    return *run_vector(circuit, options).state;
  };
  const State one = with_threads(1);
  for (const int threads : {2, 5}) {
    const State shared = with_threads(threads);
    for (std::size_t i = 0; i < std::size_t{1} << wires; ++i)
      ASSERT_EQ(one.amplitude(i), shared.amplitude(i)) << threads << " threads, amplitude " << i;
  }
}

TEST_P(BothPrecisions, WhatTheMemoryHeldBeforeDoesNotMatter) {
  // Large enough for memory that is kept from run to run; wires join late, in sweeps, in gates that no sweep does and
  // after a measurement, and one never does.
  constexpr std::uint32_t wires = 20;
  std::mt19937 random(3);
  for (int round = 0; round < 4; ++round) {
    Circuit circuit(wires, 1);
    for (Wire wire = 0; wire < 8; ++wire) circuit.ry(0.3 + wire, wire).cx(wire, (wire + 1) % 8);
    if (round == 1) circuit.ccx(0, 1, 18).append(Op::swap, std::vector<Wire>{17, 3, 2}, {}, 1).rxx(0.4, 16, 4);
    if (round == 2) circuit.measure(3, 0).h(11);
    if (round == 3) circuit.h(19).swap(19, 0).swap(10, 1).cx(10, 12);
    for (Wire wire = 5; wire + 2 < wires; ++wire) circuit.rx(0.2 + wire, wire).cx(wire, wire + 1).rzz(0.7, wire, 2);
    RunOptions options{.shots = round == 2 ? 3U : 0U, .precision = precision()};
    options.want_state = true;
    const std::uint64_t bytes = (precision() == Precision::single_precision ? 8U : 16U) << wires;
    const auto run_after = [&](int byte) {
      {
        auto before = base::Buffer::allocate(bytes, base::MemoryBudget{}, "what was there before");
        std::memset(before.data(), byte, bytes);
      }
      return *run_vector(circuit, options).state;
    };
    const State after_zeros = run_after(0), after_nans = run_after(0xff);
    for (std::size_t i = 0; i < std::size_t{1} << wires; i += 1 + random() % 3)
      ASSERT_EQ(after_zeros.amplitude(i), after_nans.amplitude(i)) << "round " << round << " amplitude " << i;
  }
}

TEST_P(BothPrecisions, RandomCircuitsEqualTheDenseOracle) {
  std::mt19937 random(2);
  for (std::uint32_t wires = 1; wires <= 6; ++wires) {
    for (int round = 0; round < 10; ++round) {
      const Circuit circuit = random_circuit(wires, 40, random, 64);
      RunOptions options;
      options.precision = precision();
      options.want_state = true;
      SCOPED_TRACE(std::to_string(wires) + " wires, round " + std::to_string(round));
      expect_state(run_vector(circuit, options), run_dense(circuit), allowed());
    }
  }
}

TEST_P(BothPrecisions, UnitariesOfAnyWidthEqualTheDenseOracle) {
  std::mt19937 random(3);
  for (std::uint32_t wires = 1; wires <= 5; ++wires) {
    const Circuit source = random_circuit(wires, 20, random, 64);
    const std::size_t size = std::size_t{1} << wires;
    Matrix matrix{wires, Dense(size * size)};
    for (std::size_t c = 0; c < size; ++c) {
      Dense column(size);
      column[c] = 1;
      column = run_dense(source, column);
      for (std::size_t r = 0; r < size; ++r) matrix.values[r * size + c] = column[r];
    }
    Circuit circuit = random_circuit(6, 10, random, 64);
    std::vector<Wire> order = {3, 0, 5, 1, 4};
    order.resize(wires);
    circuit.unitary(matrix, order);
    order.insert(order.begin(), 2);
    circuit.unitary(matrix, order, 1);
    RunOptions options;
    options.precision = precision();
    options.want_state = true;
    expect_state(run_vector(circuit, options), run_dense(circuit), allowed());
  }
}

TEST_P(BothPrecisions, ExpectationsAndProbabilitiesEqualTheDenseOracle) {
  std::mt19937 random(4);
  const Circuit circuit = random_circuit(5, 40, random, 64);
  const Dense psi = run_dense(circuit);
  RunOptions options;
  options.precision = precision();
  options.observables = {Observable::parse("0.5*Z0 Z1 - 1.2*X2 + 3 + 0.7*Y0 X3 Y4 - 0.1*Y2", 5),
                         Observable::parse("0", 5)};
  options.want_probabilities = true;
  options.probability_wires = {4, 1};
  const CircuitResult result = run_vector(circuit, options);

  double expected = 3;
  const auto add = [&](double coefficient, const std::vector<std::pair<Op, Wire>>& letters) {
    Circuit pauli(5);
    for (const auto& [op, wire] : letters) pauli.append(op, {wire});
    const Dense moved = run_dense(pauli, psi);
    std::complex<double> overlap = 0;
    for (std::size_t i = 0; i < psi.size(); ++i) overlap += std::conj(psi[i]) * moved[i];
    expected += coefficient * overlap.real();
  };
  add(0.5, {{Op::z, 0}, {Op::z, 1}});
  add(-1.2, {{Op::x, 2}});
  add(0.7, {{Op::y, 0}, {Op::x, 3}, {Op::y, 4}});
  add(-0.1, {{Op::y, 2}});
  ASSERT_EQ(result.expectations.size(), 2U);
  EXPECT_NEAR(result.expectations[0], expected, allowed());
  EXPECT_EQ(result.expectations[1], 0.0);

  std::vector<double> table(4);
  for (std::size_t i = 0; i < psi.size(); ++i) table[(i >> 4 & 1) | ((i >> 1 & 1) << 1)] += std::norm(psi[i]);
  ASSERT_TRUE(result.probabilities.has_value());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(result.probabilities->as<double>()[i], table[i], allowed());
}

TEST_P(BothPrecisions, AnInitialStateIsEvolved) {
  std::mt19937 random(5);
  const Circuit circuit = random_circuit(4, 20, random, 64);
  const Dense start = run_dense(random_circuit(4, 20, random, 64));
  RunOptions options;
  options.precision = precision();
  options.want_state = true;
  options.initial_state = Tensor::from<std::complex<double>>(start, {16});
  expect_state(run_vector(circuit, options), run_dense(circuit, start), allowed());
}

/// Teleports u(1.1, 0.4, 0.2)|0> from wire 0 to wire 2.
Circuit teleport() {
  Circuit c(3, 3);
  c.u(1.1, 0.4, 0.2, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure(0, 0).measure(1, 1);
  for (const auto& [bit, op] : {std::pair{1U, Op::x}, std::pair{0U, Op::z}}) {
    const BlockId then = c.open_block();
    c.append(op, {2});
    c.close_block();
    c.if_else(c.expressions().leaf(ExprOp::bit, bit, {ScalarKind::boolean, 1}), then);
  }
  return c.measure(2, 2);
}

TEST_P(BothPrecisions, TeleportationHasItsExactDistribution) {
  RunOptions options;
  options.precision = precision();
  options.want_probabilities = true;
  options.observables = {Observable::parse("Z2", 3), Observable::parse("X2", 3)};
  const CircuitResult result = run_vector(teleport(), options);
  const double one = std::sin(0.55) * std::sin(0.55);
  for (std::size_t bits = 0; bits < 8; ++bits) {
    const double expected = 0.25 * ((bits & 4) != 0 ? one : 1 - one);
    EXPECT_NEAR(result.probabilities->as<double>()[bits], expected, allowed());
  }
  EXPECT_NEAR(result.expectations[0], std::cos(1.1), allowed());
  EXPECT_NEAR(result.expectations[1], std::sin(1.1) * std::cos(0.4), allowed());
}

TEST(Statevector, ShotsFollowTheExactDistribution) {
  constexpr std::uint64_t kShots = 100'000;
  RunOptions options;
  options.shots = kShots;
  options.seed = 3;
  const CircuitResult result = run_vector(teleport(), options);
  EXPECT_EQ(result.counts.shots(), kShots);
  const double one = std::sin(0.55) * std::sin(0.55);
  for (std::size_t i = 0; i < result.counts.size(); ++i) {
    const std::uint64_t bits = result.counts.outcome(i)[0];
    const double p = 0.25 * ((bits & 4) != 0 ? one : 1 - one);
    // Five standard deviations of a binomial count.
    EXPECT_NEAR(static_cast<double>(result.counts.times(i)), p * kShots, 5 * std::sqrt(p * (1 - p) * kShots));
  }
  EXPECT_EQ(result.counts.size(), 8U);
}

/// Measures, resets and loops over random gates on five wires.
Circuit messy(std::uint32_t seed) {
  std::mt19937 random(seed);
  Circuit c = random_circuit(5, 20, random, 64);
  for (Wire wire = 0; wire < 5; ++wire) c.h(wire);
  c.measure(0, 0).ry(0.7, 0).measure(1, 1).reset(2).rx(1.3, 2);
  const BlockId body = c.open_block();
  c.h(3).measure(3, 2);
  c.close_block();
  c.while_loop(c.expressions().leaf(ExprOp::bit, 2, {ScalarKind::boolean, 1}), body);
  const BlockId yes = c.open_block();
  c.cx(0, 4);
  c.close_block();
  const BlockId no = c.open_block();
  c.ry(0.4, 4);
  c.close_block();
  c.if_else(c.expressions().leaf(ExprOp::bit, 1, {ScalarKind::boolean, 1}), yes, no);
  for (Wire wire = 0; wire < 5; ++wire) c.measure(wire, wire);
  return c;
}

TEST(Statevector, SameSeedSameCountsForAnyThreadsAndMemory) {
  for (const Circuit& circuit : {teleport(), messy(1), messy(2)}) {
    RunOptions options;
    options.shots = 3000;
    options.seed = 11;
    options.want_memory = true;
    options.want_state = true;
    options.observables = {Observable::parse("Z0 X2", circuit.num_wires())};
    const CircuitResult first = run_vector(circuit, options);
    ASSERT_GT(first.counts.size(), 1U);
    for (int threads : {1, 2, 4}) {
      for (std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{1} << 30}) {  // no copies at all, all copies
        base::set_thread_budget(threads);
        options.limits.max_memory_bytes = limit;
        const CircuitResult result = run_vector(circuit, options);
        EXPECT_EQ(result.counts, first.counts);
        EXPECT_EQ(result.memory, first.memory);
        EXPECT_NEAR(result.expectations[0], first.expectations[0], 1e-12);
        for (std::size_t i = 0; i < std::size_t{1} << circuit.num_wires(); ++i)
          EXPECT_LT(std::abs(result.state->amplitude(i) - first.state->amplitude(i)), 1e-12);
      }
    }
    base::set_thread_budget(0);
  }
}

TEST(Statevector, ShotsOfStaticCircuitsDoNotDependOnThreads) {
  std::mt19937 random(8);
  const Circuit circuit = random_circuit(16, 60, random, 64);
  RunOptions options;
  options.shots = 10'000;
  std::vector<Counts> counts;
  for (int threads : {1, 2, 4}) {
    base::set_thread_budget(threads);
    counts.push_back(run_vector(circuit, options).counts);
  }
  base::set_thread_budget(0);
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_EQ(counts[0], counts[2]);
}

TEST(Statevector, ExactAnswersDoNotDependOnHowManyCopiesFit) {
  RunOptions options;
  options.want_probabilities = true;
  const CircuitResult with = run_vector(messy(3), options);
  options.limits.max_memory_bytes = 0;
  const CircuitResult without = run_vector(messy(3), options);
  double sum = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_NEAR(with.probabilities->as<double>()[i], without.probabilities->as<double>()[i], 1e-12);
    sum += with.probabilities->as<double>()[i];
  }
  EXPECT_NEAR(sum, 1.0, 1e-9);  // what the loop's cut-off at 1e-15 leaves out
}

TEST(Statevector, MemoryHoldsTheShotsThatTheCountsCount) {
  for (const Circuit& circuit : {messy(4), Circuit(3).h(0).cx(0, 1)}) {
    RunOptions options;
    options.shots = 500;
    options.want_memory = true;
    const CircuitResult result = run_vector(circuit, options);
    ASSERT_EQ(result.memory.size(), 500U);
    std::map<std::uint64_t, std::uint64_t> times;
    for (const std::uint64_t word : result.memory) ++times[word];
    ASSERT_EQ(times.size(), result.counts.size());
    for (std::size_t i = 0; i < result.counts.size(); ++i)
      EXPECT_EQ(times[result.counts.outcome(i)[0]], result.counts.times(i));
  }
}

TEST(Statevector, ChargesExactlyWhatItPredicts) {
  std::mt19937 random(6);
  const Circuit unitary = random_circuit(14, 30, random, 64);
  Circuit idle(20);
  idle.h(3).cx(3, 7);
  for (const Circuit& circuit : {unitary, messy(5), idle, teleport()}) {
    for (int kind = 0; kind < 8; ++kind) {
      RunOptions options;
      options.shots = (kind & 1) != 0 ? 20'000 : 0;
      options.want_memory = (kind & 2) != 0;
      options.want_state = (kind & 2) != 0 && options.shots != 0;
      options.want_probabilities = (kind & 4) != 0;
      const auto estimate = find_method("statevector").estimate(circuit, options);
      ASSERT_TRUE(estimate.has_value());
      base::MemoryBudget budget(estimate->peak_bytes);
      const RunControl control;
      {
        const CircuitResult result = find_method("statevector").prepare(circuit, options)->run({}, {budget, control});
        EXPECT_EQ(budget.peak(), estimate->peak_bytes) << circuit.num_wires() << " wires, kind " << kind;
      }
      EXPECT_EQ(budget.used(), 0U);
    }
  }
}

TEST(Statevector, RefusesWhatDoesNotFitBeforeAllocating) {
  Circuit circuit(30);
  for (Wire wire = 0; wire < 30; ++wire) circuit.h(wire);
  base::MemoryBudget budget(std::uint64_t{64} << 20);
  const RunControl control;
  try {
    find_method("statevector").prepare(circuit, {})->run({}, {budget, control});
    FAIL() << "16 GiB fitted into 64 MiB";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  }
  EXPECT_EQ(budget.peak(), 0U);
}

TEST(Statevector, IdleWiresCostNothing) {
  Circuit circuit(50, 2);
  circuit.h(33).measure(33, 0).measure(7, 1);
  RunOptions options;
  options.shots = 1000;
  options.observables = {Observable::parse("X33 + 2*Z7 + 4*X8 + 8*Z33", 50)};
  options.want_probabilities = true;
  options.probability_wires = {7, 33};
  const auto estimate = find_method("statevector").estimate(circuit, options);
  ASSERT_TRUE(estimate.has_value());
  EXPECT_LT(estimate->peak_bytes, 100'000U);
  const CircuitResult result = run_vector(circuit, options);
  EXPECT_EQ(result.counts.shots(), 1000U);
  EXPECT_EQ(result.counts.text(0), "00");
  EXPECT_EQ(result.counts.text(1), "01");
  EXPECT_NEAR(result.expectations[0], 1 + 2, 1e-12);
  const auto p = result.probabilities->as<double>();
  EXPECT_NEAR(p[0], 0.5, 1e-12);
  EXPECT_NEAR(p[2], 0.5, 1e-12);
  EXPECT_EQ(p[1] + p[3], 0.0);
}

TEST(Statevector, WideRegistersAreCountedWhole) {
  Circuit circuit(130);
  circuit.x(0).x(64).h(129);
  RunOptions options;
  options.shots = 200;
  options.want_memory = true;
  const CircuitResult result = run_vector(circuit, options);
  ASSERT_EQ(result.counts.size(), 2U);
  EXPECT_EQ(result.counts.text(0), std::string(65, '0') + "1" + std::string(63, '0') + "1");
  EXPECT_EQ(result.counts.text(1), "1" + std::string(64, '0') + "1" + std::string(63, '0') + "1");
  EXPECT_EQ(result.memory.size(), 600U);
  EXPECT_EQ(result.counts[result.counts.text(1)], result.counts.times(1));
}

TEST(Statevector, EmptyCircuitsAndNoShotsAreAnswered) {
  RunOptions options;
  EXPECT_EQ(run_vector(Circuit(), options).counts.size(), 0U);
  options.shots = 5;
  options.want_state = true;
  const CircuitResult result = run_vector(Circuit(), options);
  ASSERT_EQ(result.counts.size(), 1U);
  EXPECT_EQ(result.counts.times(0), 5U);
  EXPECT_EQ(result.state->amplitude(0), 1.0);
  options.want_memory = true;
  EXPECT_EQ(run_vector(Circuit(2, 1).h(0).measure(0, 0), options).memory.size(), 5U);
}

TEST(Statevector, ParametersAreBoundAtRunTime) {
  Circuit circuit(1);
  const Affine theta = circuit.parameter("theta");
  circuit.rx(2 * theta + 0.1, 0);
  RunOptions options;
  options.observables = {Observable::parse("Z0", 1)};
  const auto program = find_method("statevector").prepare(circuit, options);
  base::MemoryBudget budget;
  const RunControl control;
  for (double value : {0.0, 0.3, -1.0}) {
    const double parameters[] = {value};
    EXPECT_NEAR(program->run(parameters, {budget, control}).expectations[0], std::cos(2 * value + 0.1), 1e-12);
  }
  EXPECT_THROW(program->run({}, {budget, control}), Error);
  const double nan[] = {std::nan("")};
  EXPECT_THROW(program->run(nan, {budget, control}), Error);
}

TEST(Statevector, LoopsBreakContinueAndCount) {
  // n counts to 10, skipping the flip on the rounds where n is odd; five flips leave the wire in 1.
  Circuit circuit(1, 1);
  const ScalarType integer{ScalarKind::integer, 32};
  const std::uint32_t n = circuit.add_variable({"n", integer, true});
  auto& pool = circuit.expressions();
  const ExprId value = pool.leaf(ExprOp::variable, n, integer);
  const ExprId one = pool.constant(Scalar::of(std::int64_t{1}, integer));
  const BlockId body = circuit.open_block();
  const BlockId stop = circuit.open_block();
  circuit.append(Op::break_loop, std::initializer_list<Wire>{});
  circuit.close_block();
  circuit.if_else(pool.binary(ExprOp::ge, value, pool.constant(Scalar::of(std::int64_t{10}, integer))), stop);
  circuit.assign({false, n, 1, kNoExpr, pool.binary(ExprOp::add, value, one)});
  const BlockId skip = circuit.open_block();
  circuit.append(Op::continue_loop, std::initializer_list<Wire>{});
  circuit.close_block();
  circuit.if_else(pool.binary(ExprOp::eq, pool.binary(ExprOp::bit_and, value, one), one), skip);
  circuit.x(0);
  circuit.close_block();
  circuit.while_loop(pool.constant(Scalar::of(true)), body);
  circuit.measure(0, 0);
  RunOptions options;
  options.shots = 3;
  const CircuitResult result = run_vector(circuit, options);
  EXPECT_EQ(result.counts["1"], 3U);
  EXPECT_EQ(result.outputs.at("n"), 10.0);
}

TEST(Statevector, EndlessLoopsObeyTheDeadline) {
  Circuit circuit(1);
  const BlockId body = circuit.open_block();
  circuit.x(0);
  circuit.close_block();
  circuit.while_loop(circuit.expressions().constant(Scalar::of(true)), body);
  base::MemoryBudget budget;
  RunControl control;
  control.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  try {
    find_method("statevector").prepare(circuit, {})->run({}, {budget, control});
    FAIL() << "an endless loop ended";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  }
}

TEST(Statevector, LaterMeasurementsOfABitWin) {
  Circuit circuit(2, 1);
  circuit.x(0).measure(0, 0).measure(1, 0).x(1);
  RunOptions options;
  options.shots = 4;
  EXPECT_EQ(run_vector(circuit, options).counts["0"], 4U);
}

TEST(Statevector, ResetForgetsAndRepeats) {
  Circuit circuit(2, 2);
  circuit.h(0).cx(0, 1).reset(0).measure(0, 0).measure(1, 1);
  RunOptions options;
  options.want_probabilities = true;
  const CircuitResult result = run_vector(circuit, options);
  const auto p = result.probabilities->as<double>();
  EXPECT_NEAR(p[0], 0.5, 1e-12);
  EXPECT_NEAR(p[2], 0.5, 1e-12);
  EXPECT_NEAR(p[1] + p[3], 0.0, 1e-12);
}

TEST(Statevector, RefusesOptionsThatFitNoCircuit) {
  const Circuit circuit = Circuit(2).h(0);
  const Method& method = find_method("statevector");
  RunOptions options;
  options.probability_wires = {2};
  EXPECT_THROW(method.estimate(circuit, options), Error);
  options = {};
  options.observables = {Observable(3)};
  EXPECT_THROW(method.estimate(circuit, options), Error);
  options = {};
  options.initial_state = Tensor(DType::c128, {8});
  EXPECT_THROW(method.estimate(circuit, options), Error);
  options.initial_state = Tensor(DType::c128, {4});  // norm 0
  EXPECT_THROW(run_vector(circuit, options), Error);
  options = {};
  options.want_state = true;
  EXPECT_FALSE(method.estimate(Circuit(60).h(0), options).has_value());
  EXPECT_FALSE(method.estimate(teleport(), options).has_value());
  EXPECT_THROW(find_method("statevektor"), Error);
}

TEST(Statevector, ReportsProgressThatEndsNearOne) {
  std::vector<double> seen;
  RunControl control;
  control.progress = Progress([&](double fraction, std::string_view) { seen.push_back(fraction); });
  Circuit circuit(18);
  for (int layer = 0; layer < 4; ++layer)
    for (Wire wire = 0; wire < 18; ++wire) circuit.h(wire).cx(wire, (wire + 7) % 18);
  base::MemoryBudget budget;
  find_method("statevector").prepare(circuit, {})->run({}, {budget, control});
  // Once per pass over the state.
  ASSERT_GE(seen.size(), 2U);
  EXPECT_GT(seen.front(), 0.0);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.back(), 1.0);
}

}  // namespace
}  // namespace skerry::sim
