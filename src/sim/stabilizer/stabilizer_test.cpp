#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/stabilizer/clifford.hpp"
#include "sim/state/random_circuits.hpp"
#include "sim/statevector/dense_oracle.hpp"

namespace skerry::sim {
namespace {

constexpr double kQuarter = std::numbers::pi / 2;

CircuitResult run(const Circuit& circuit, const RunOptions& options, const char* method = "stabilizer") {
  base::MemoryBudget budget;
  const RunControl control;
  return find_method(method).prepare(circuit, options)->run({}, {budget, control});
}

void append_clifford(Circuit& circuit, std::mt19937& random) {
  const std::uint32_t wires = circuit.num_wires();
  constexpr Op one[] = {Op::x, Op::y, Op::z, Op::h, Op::s, Op::sdg, Op::sx, Op::sxdg, Op::rx, Op::ry, Op::rz, Op::p};
  constexpr Op two[] = {Op::swap, Op::iswap, Op::dcx, Op::ecr, Op::rxx, Op::ryy, Op::rzz, Op::rzx};
  constexpr Op controlled[] = {Op::x, Op::y, Op::z};
  const auto kind = wires < 2 ? 0 : random() % 3;
  const Op op = kind == 0 ? one[random() % 12] : kind == 1 ? two[random() % 8] : controlled[random() % 3];
  std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)));
  for (Param& param : params) param.value = kQuarter * static_cast<double>(random() % 9);
  circuit.append(op, some_wires(wires, kind == 0 ? 1 : 2, random), params, kind == 2 ? 1 : 0);
}

Circuit random_clifford(std::uint32_t wires, int gates, std::mt19937& random) {
  Circuit circuit(wires, wires);
  for (int i = 0; i < gates; ++i) append_clifford(circuit, random);
  return circuit;
}

/// Gates, measurements, resets, and gates that depend on the bits so far.
Circuit random_program(std::uint32_t wires, int steps, std::mt19937& random) {
  Circuit circuit(wires, wires);
  int coins = 0;
  for (int i = 0; i < steps; ++i) {
    const auto kind = random() % 10;
    const auto wire = static_cast<Wire>(random() % wires);
    const auto bit = static_cast<std::uint32_t>(random() % wires);
    if (kind == 0 && ++coins < 6) {
      circuit.measure(wire, bit);
    } else if (kind == 1 && ++coins < 6) {
      circuit.reset(wire);
    } else if (kind == 2) {
      auto& pool = circuit.expressions();
      const ExprId condition =
          pool.binary(ExprOp::bit_xor, pool.leaf(ExprOp::bit, bit, {}), pool.leaf(ExprOp::bit, (bit + 1) % wires, {}));
      const BlockId then_block = circuit.open_block();
      append_clifford(circuit, random);
      circuit.close_block();
      circuit.if_else(condition, then_block);
    } else {
      append_clifford(circuit, random);
    }
  }
  for (Wire wire = 0; wire < wires; wire += 2) circuit.measure(wire, wire);
  return circuit;
}

void expect_near(const Tensor& got, const Tensor& wanted, double allowed) {
  ASSERT_EQ(got.shape(), wanted.shape());
  for (std::size_t i = 0; i < got.as<double>().size(); ++i)
    ASSERT_NEAR(got.as<double>()[i], wanted.as<double>()[i], allowed) << i;
}

/// |<a|b>| of two matrices as vectors of unit length.
double overlap(const Dense& a, const Dense& b) {
  std::complex<double> sum = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::conj(a[i]) * b[i];
    norm += std::norm(a[i]);
  }
  return std::abs(sum) / norm;
}

TEST(CliffordSteps, RebuildEveryGateOfTheTableAtEveryQuarterTurn) {
  std::mt19937 random(1);
  int cliffords = 0;
  for (std::uint16_t index = 0; index < kGateCount; ++index) {
    const auto op = static_cast<Op>(index);
    const int targets = gate_targets(op);
    for (int angles = 0; angles < 64; ++angles) {
      Circuit circuit(static_cast<std::uint32_t>(targets));
      std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)));
      for (std::size_t i = 0; i < params.size(); ++i) params[i].value = kQuarter * ((angles >> (2 * i)) & 3);
      std::vector<Wire> wires(static_cast<std::size_t>(targets));
      std::iota(wires.begin(), wires.end(), 0U);
      circuit.append(op, wires, params);
      const Dense matrix = ops::instruction_matrix(circuit, circuit.body()[0]);
      const auto steps = clifford_steps(matrix, targets);
      if (!steps) continue;
      ++cliffords;
      const std::size_t rows = std::size_t{1} << targets;
      Circuit again(static_cast<std::uint32_t>(targets));
      for (const StabilizerStep& step : *steps) {
        if (step.op == StabilizerOp::h) again.h(step.a);
        if (step.op == StabilizerOp::s) again.s(step.a);
        if (step.op == StabilizerOp::x) again.x(step.a);
        if (step.op == StabilizerOp::y) again.y(step.a);
        if (step.op == StabilizerOp::z) again.z(step.a);
        if (step.op == StabilizerOp::cx) again.cx(step.a, step.b);
        if (step.op == StabilizerOp::cz) again.cz(step.a, step.b);
        if (step.op == StabilizerOp::swap) again.swap(step.a, step.b);
      }
      Dense rebuilt(rows * rows);
      for (std::size_t c = 0; c < rows; ++c) {
        Dense column(rows);
        column[c] = 1;
        column = run_dense(again, column);
        for (std::size_t r = 0; r < rows; ++r) rebuilt[r * rows + c] = column[r];
      }
      EXPECT_NEAR(overlap(matrix, rebuilt), 1.0, 1e-9) << op_name(op) << " " << angles;
    }
  }
  // Every angle a multiple of a quarter turn is one; of the gates without angles t and tdg alone are not.
  EXPECT_GT(cliffords, 64 * 14);
}

TEST(CliffordSteps, RefuseWhatIsNoClifford) {
  const auto steps_of = [](Op op, double angle, int controls) {
    const int targets = gate_targets(op);
    Circuit circuit(static_cast<std::uint32_t>(targets + controls));
    std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)));
    for (Param& param : params) param.value = angle;
    std::vector<Wire> wires(static_cast<std::size_t>(targets + controls));
    std::iota(wires.begin(), wires.end(), 0U);
    circuit.append(op, wires, params, static_cast<std::uint16_t>(controls));
    return find_method("stabilizer").estimate(circuit, {}).has_value();
  };
  EXPECT_FALSE(steps_of(Op::t, 0, 0));
  EXPECT_FALSE(steps_of(Op::rz, 0.3, 0));
  EXPECT_FALSE(steps_of(Op::x, 0, 2));
  EXPECT_FALSE(steps_of(Op::s, 0, 1));
  EXPECT_TRUE(steps_of(Op::rz, kQuarter, 0));
  EXPECT_TRUE(steps_of(Op::p, 2 * kQuarter, 1));
  EXPECT_TRUE(steps_of(Op::rz, 2 * kQuarter, 1))
      << "controlled i Z is a Clifford gate, the phase is an S on the control";
  EXPECT_FALSE(steps_of(Op::rz, kQuarter, 1));
}

TEST(Stabilizer, ExpectationsAndProbabilitiesEqualTheStateVector) {
  std::mt19937 random(2);
  for (std::uint32_t wires = 1; wires <= 10; ++wires) {
    for (int round = 0; round < 6; ++round) {
      const Circuit circuit = random_clifford(wires, 12 * static_cast<int>(wires), random);
      RunOptions options;
      options.observables = {random_strings(wires, 12, random)};
      options.want_probabilities = true;
      if (round % 2 == 1) options.probability_wires = some_wires(wires, (wires + 1) / 2, random);
      const CircuitResult got = run(circuit, options), wanted = run(circuit, options, "statevector");
      ASSERT_NEAR(got.expectations[0], wanted.expectations[0], 1e-9) << wires;
      expect_near(*got.probabilities, *wanted.probabilities, 1e-9);
    }
  }
}

TEST(Stabilizer, ProgramsWithFeedbackHaveTheDistributionOfTheStateVector) {
  std::mt19937 random(3);
  for (std::uint32_t wires = 2; wires <= 6; ++wires) {
    for (int round = 0; round < 15; ++round) {
      const Circuit circuit = random_program(wires, 30, random);
      RunOptions options;
      options.want_probabilities = true;
      options.observables = {random_strings(wires, 12, random)};
      const CircuitResult got = run(circuit, options), wanted = run(circuit, options, "statevector");
      SCOPED_TRACE(std::to_string(wires) + " wires, round " + std::to_string(round));
      expect_near(*got.probabilities, *wanted.probabilities, 1e-9);
      ASSERT_NEAR(got.expectations[0], wanted.expectations[0], 1e-9);
    }
  }
}

/// Counts lie within six standard deviations of what the distribution of the state vector says, and never where it is
/// 0.
void expect_counts_follow(const Circuit& circuit, const Counts& counts) {
  RunOptions exact;
  exact.want_probabilities = true;
  const Tensor wanted = *run(circuit, exact, "statevector").probabilities;
  const auto shots = static_cast<double>(counts.shots());
  double seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double p = wanted.as<double>()[counts.outcome(i)[0]];
    seen += p;
    ASSERT_GT(p, 1e-12) << counts.text(i);
    ASSERT_NEAR(static_cast<double>(counts.times(i)), shots * p, 6 * std::sqrt(shots * p) + 1) << counts.text(i);
  }
  // With hundreds of shots for each outcome, none is missed.
  ASSERT_NEAR(seen, 1.0, 1e-9);
}

TEST(Stabilizer, ShotsFollowTheDistributionOfTheStateVector) {
  std::mt19937 random(4);
  for (int round = 0; round < 24; ++round) {
    const std::uint32_t wires = 2 + static_cast<std::uint32_t>(round % 4);
    // Odd rounds have no classical control: frames; even ones run trajectories.
    Circuit circuit = random_program(wires, 25, random);
    if (round % 2 == 1) {
      circuit = random_clifford(wires, 12, random);
      circuit.measure(0, 0).reset(1);
      for (int i = 0; i < 12; ++i) append_clifford(circuit, random);
      for (Wire wire = 1; wire < wires; ++wire) circuit.measure(wire, wire);
    }
    RunOptions options;
    options.shots = 20'000;
    options.seed = static_cast<std::uint64_t>(round);
    SCOPED_TRACE("round " + std::to_string(round));
    expect_counts_follow(circuit, run(circuit, options).counts);
  }
}

TEST(Stabilizer, SameSeedSameCountsForAnyThreadsAndMemory) {
  std::mt19937 random(5);
  Circuit straight = random_clifford(70, 2000, random);
  straight.measure(3, 3);
  straight.h(3);
  for (Wire wire = 0; wire < 70; ++wire) straight.measure(wire, wire);
  for (const Circuit& circuit : {straight, random_program(5, 40, random)}) {
    RunOptions options;
    options.shots = 10'000;
    options.seed = 11;
    options.want_memory = true;
    base::set_thread_budget(1);
    const CircuitResult one = run(circuit, options);
    base::set_thread_budget(3);
    const CircuitResult three = run(circuit, options);
    base::set_thread_budget(0);
    EXPECT_EQ(one.counts, three.counts);
    EXPECT_EQ(one.memory, three.memory);
    EXPECT_EQ(one.counts.shots(), 10'000U);
    options.seed = 12;
    EXPECT_NE(run(circuit, options).counts, one.counts);
    // Fewer shots are the first of many.
    options.seed = 11;
    options.shots = 100;
    const auto words = one.memory.size() / 10'000;
    EXPECT_EQ(
        run(circuit, options).memory,
        std::vector<std::uint64_t>(one.memory.begin(), one.memory.begin() + static_cast<std::ptrdiff_t>(100 * words)));
  }
}

TEST(Stabilizer, ThousandsOfWiresStayCorrelated) {
  constexpr std::uint32_t kWires = 2000;
  Circuit circuit(kWires, kWires);
  circuit.h(0);
  for (Wire wire = 1; wire < kWires; ++wire) circuit.cx(wire - 1, wire);
  circuit.measure_all();
  RunOptions options;
  options.shots = 1000;
  options.observables = {Observable::parse("Z0 Z1999 + 2*X5", kWires)};
  const CircuitResult result = run(circuit, options);
  ASSERT_EQ(result.counts.size(), 2U);
  EXPECT_EQ(result.counts.text(0), std::string(kWires, '0'));
  EXPECT_EQ(result.counts.text(1), std::string(kWires, '1'));
  EXPECT_NEAR(static_cast<double>(result.counts.times(0)), 500, 100);
  EXPECT_EQ(result.expectations[0], 1.0);
}

TEST(Stabilizer, ChargesExactlyWhatItPredicts) {
  std::mt19937 random(6);
  for (const std::uint64_t shots : {0U, 1U, 700U, 100'000U}) {
    for (const std::uint32_t wires : {3U, 12U, 80U}) {
      Circuit circuit = random_clifford(wires, 50, random);
      circuit.measure(0, 0).h(0).measure_all();
      RunOptions options;
      options.shots = shots;
      base::MemoryBudget budget;
      const RunControl control;
      const auto estimate = find_method("stabilizer").estimate(circuit, options);
      const CircuitResult result = find_method("stabilizer").prepare(circuit, options)->run({}, {budget, control});
      EXPECT_EQ(budget.peak(), estimate->peak_bytes) << shots << " " << wires;
    }
  }
}

TEST(Stabilizer, SaysWhyItCannot) {
  Circuit circuit(3);
  circuit.h(0).rz(0.3, 1);
  const auto& method = find_method("stabilizer");
  EXPECT_NE(method.estimate(circuit, {}).error().find("rz(0.3"), std::string::npos)
      << method.estimate(circuit, {}).error();
  Circuit fine(3);
  fine.h(0);
  RunOptions options;
  options.want_state = true;
  EXPECT_NE(method.estimate(fine, options).error().find("amplitudes"), std::string::npos);
  Circuit symbolic(1);
  symbolic.rz(symbolic.parameter("theta"), 0);
  EXPECT_NE(method.estimate(symbolic, {}).error().find("angle of rz"), std::string::npos);
}

TEST(Stabilizer, LoopsUntilSuccessEnd) {
  // while (c == 0) { reset q; h q; c = measure q }
  Circuit circuit(1, 1);
  auto& pool = circuit.expressions();
  const ExprId again = pool.unary(ExprOp::logical_not, pool.leaf(ExprOp::bit, 0, {}));
  const BlockId body = circuit.open_block();
  circuit.reset(0).h(0).measure(0, 0);
  circuit.close_block();
  circuit.while_loop(again, body);
  RunOptions options;
  options.shots = 5000;
  EXPECT_EQ(run(circuit, options).counts["1"], 5000U);
  options.shots = 0;
  options.want_probabilities = true;
  EXPECT_NEAR(run(circuit, options).probabilities->as<double>()[1], 1.0, 1e-12);
}

}  // namespace
}  // namespace skerry::sim
