#include <gtest/gtest.h>

#include <array>
#include <complex>
#include <random>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>

#include "ops/qubit/gate_record.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

using Vector = std::vector<std::complex<double>>;

// The textbook product, written without regard to speed: amplitude by amplitude, matrix by matrix.
void apply(const Circuit& circuit, const Instruction& instruction, Vector& state) {
  const auto matrix = ops::instruction_matrix(circuit, instruction);
  const auto targets = instruction.targets();
  const std::size_t size = std::size_t{1} << targets.size();
  Vector out(state.size());
  for (std::size_t row = 0; row < state.size(); ++row) {
    bool active = true;
    for (const Wire control : instruction.control_wires()) active = active && ((row >> control) & 1U) == 1U;
    if (!active) {
      out[row] = state[row];
      continue;
    }
    std::size_t local_row = 0, rest = row;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      local_row |= ((row >> targets[t]) & 1U) << t;
      rest &= ~(std::size_t{1} << targets[t]);
    }
    for (std::size_t local_column = 0; local_column < size; ++local_column) {
      std::size_t column = rest;
      for (std::size_t t = 0; t < targets.size(); ++t) column |= ((local_column >> t) & 1U) << targets[t];
      out[row] += matrix[local_row * size + local_column] * state[column];
    }
  }
  state = std::move(out);
}

Vector evolve(const Circuit& circuit, Vector state) {
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    if (is_gate(circuit.body()[i].op)) apply(circuit, circuit.body()[i], state);
  }
  return state;
}

// Gates that meet often: few wires, few angles, symbols among them.
Circuit random_circuit(std::mt19937_64& random, std::uint32_t wires, std::size_t gates) {
  Circuit circuit(wires);
  const Affine theta = circuit.parameter("theta");
  const auto below = [&random](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  constexpr std::array kAngles = {0.0, 0.25, -0.25, 1.5};
  for (std::size_t i = 0; i < gates; ++i) {
    const auto op = static_cast<Op>(below(kGateCount));
    std::vector<Wire> shuffled(wires);
    for (Wire w = 0; w < wires; ++w) shuffled[w] = w;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    const auto targets = static_cast<std::uint32_t>(gate_targets(op));
    const std::uint32_t controls = std::min(below(3), wires - targets);
    std::vector<Param> params;
    for (int p = 0; p < gate_parameters(op); ++p) {
      const bool symbolic = below(4) == 0;
      params.push_back(symbolic ? circuit.param(below(2) == 0 ? theta : -theta)
                                : Param{kAngles[below(kAngles.size())]});
    }
    circuit.append(op, std::span(shuffled).first(targets + controls), params, static_cast<std::uint16_t>(controls));
    if (below(12) == 0) circuit.barrier();
  }
  return circuit;
}

Vector random_state(std::mt19937_64& random, std::uint32_t wires) {
  std::normal_distribution<double> normal;
  Vector state(std::size_t{1} << wires);
  for (auto& amplitude : state) amplitude = {normal(random), normal(random)};
  return state;
}

void expect_same_meaning(const Circuit& before, const Circuit& after, std::mt19937_64& random) {
  const std::array theta = {0.7};
  const Vector start = random_state(random, before.num_wires());
  const Vector expected = evolve(before.bind(theta), start), actual = evolve(after.bind(theta), start);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_LT(std::abs(expected[i] - actual[i]), 1e-11);
}

TEST(CircuitPasses, EachKeepsTheUnitaryGlobalPhaseIncluded) {
  std::mt19937_64 random(1);
  for (const CircuitPass* pass : circuit_passes()) {
    SCOPED_TRACE(pass->name);
    for (int round = 0; round < 150; ++round) {
      const Circuit circuit = random_circuit(random, 2 + static_cast<std::uint32_t>(random() % 3), 40);
      expect_same_meaning(circuit, pass->run(circuit), random);
    }
  }
}

TEST(Levels, KeepTheUnitaryAndNeverHaveMoreGatesThanTheLevelBelow) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    const Circuit circuit = random_circuit(random, 3, 60);
    std::size_t most = circuit.body().size();
    for (const Level level : {Level::low, Level::medium, Level::high}) {
      const auto compiled = std::get<Circuit>(compile(circuit, {.level = level}).program);
      expect_same_meaning(circuit, compiled, random);
      EXPECT_LE(compiled.body().size(), most);
      most = compiled.body().size();
    }
  }
}

Circuit medium(const Circuit& circuit) {
  return std::get<Circuit>(compile(circuit).program);
}

TEST(CancelInverses, UnwindsNestedPairsInOneWalk) {
  Circuit circuit(2);
  circuit.h(0).cx(0, 1).s(1).rx(0.3, 0).rx(-0.3, 0).sdg(1).cx(0, 1).h(0).x(0);
  EXPECT_EQ(medium(circuit).body().size(), 1U);
}

TEST(CancelInverses, StopsAtABarrierAMeasurementAndAReset) {
  Circuit circuit(1, 1);
  circuit.h(0).barrier().h(0).measure(0, 0).h(0).reset(0).h(0);
  EXPECT_EQ(medium(circuit).body().size(), circuit.body().size());
}

TEST(CancelInverses, TellsControlFromTarget) {
  Circuit circuit(2);
  circuit.cx(0, 1).cx(1, 0);
  EXPECT_EQ(medium(circuit).body().size(), 2U);
}

TEST(MergeRotations, AddsSymbolsAndDropsWhatCancels) {
  Circuit circuit(1);
  const Affine theta = circuit.parameter("theta");
  circuit.rz(theta, 0).rz(0.5, 0).rx(0.25, 0).rx(0.5, 0);
  const Circuit merged = medium(circuit);
  ASSERT_EQ(merged.body().size(), 2U);
  const std::array value = {2.0};
  EXPECT_DOUBLE_EQ(merged.bind(value).body()[0].params[0].value, 2.5);
  EXPECT_DOUBLE_EQ(merged.body()[1].params[0].value, 0.75);
}

TEST(Compile, LeavesOutADisabledPassAndRefusesAnUnknownOne) {
  Circuit circuit(1);
  circuit.h(0).h(0);
  const Compiled compiled = compile(circuit, {.disabled_passes = {"cancel_inverses"}});
  EXPECT_EQ(std::get<Circuit>(compiled.program).body().size(), 2U);
  for (const PassReport& report : compiled.passes) EXPECT_NE(report.name, "cancel_inverses");
  EXPECT_THROW(compile(circuit, {.disabled_passes = {"cancel_inverse"}}), Error);
}

}  // namespace
}  // namespace skerry::passes
