#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <skerry/compile.hpp>

#include "passes/pass.hpp"
#include "passes/testing/meaning.hpp"

namespace skerry::passes {
namespace {

using testing::Vector;
using Distribution = std::map<std::uint64_t, double>;

// Where a walk stands in the blocks that it is in, outermost first.
using Position = std::vector<std::pair<BlockId, std::size_t>>;

// Every branch of every measurement and reset, written out; conditions are single bits.
void branch(const Circuit& circuit, Position at, Vector state, std::uint64_t bits, Distribution& into) {
  while (!at.empty()) {
    const Block& block = circuit.blocks()[at.back().first];
    if (at.back().second == block.size()) {
      at.pop_back();
      continue;
    }
    const Instruction instruction = block[at.back().second++];
    if (is_gate(instruction.op)) {
      testing::apply(circuit, instruction, state);
    } else if (instruction.op == Op::if_else) {
      const Branch& choice = circuit.branches()[instruction.aux];
      const ExprNode& condition = circuit.expressions()[choice.condition];
      ASSERT_EQ(condition.op, ExprOp::bit);
      const BlockId taken = ((bits >> condition.a) & 1U) != 0 ? choice.then_block : choice.else_block;
      if (taken != kNoBlock) at.emplace_back(taken, 0);
    } else if (instruction.op == Op::measure || instruction.op == Op::reset) {
      const std::size_t wire = std::size_t{1} << instruction.wires[0];
      for (const bool one : {false, true}) {
        Vector next(state.size());
        for (std::size_t k = 0; k < state.size(); ++k) {
          if (((k & wire) != 0) != one) continue;
          next[instruction.op == Op::reset ? k & ~wire : k] = state[k];
        }
        const double chance = std::accumulate(next.begin(), next.end(), 0.0,
                                              [](double sum, std::complex<double> a) { return sum + std::norm(a); });
        if (chance < 1e-14) continue;
        const std::uint64_t bit = std::uint64_t{1} << instruction.aux;
        const std::uint64_t written = instruction.op == Op::reset ? bits : one ? bits | bit : bits & ~bit;
        branch(circuit, at, std::move(next), written, into);
      }
      return;
    }
  }
  for (const auto& amplitude : state) into[bits] += std::norm(amplitude);
}

Distribution outcomes(const Circuit& circuit) {
  Vector zero(std::size_t{1} << circuit.num_wires());
  zero[0] = 1;
  Distribution found;
  branch(circuit, {{0, 0}}, std::move(zero), 0, found);
  return found;
}

// Gates that meet often, with measurements and resets among them and at the end.
Circuit random_program(std::mt19937_64& random, std::uint32_t wires, bool in_the_middle) {
  const Circuit gates = testing::random_circuit(random, wires, 14).bind(std::array{0.7});
  Circuit circuit(wires, wires);
  const auto below = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (std::size_t i = 0; i < gates.body().size(); ++i) {
    const Instruction at = gates.body()[i];
    circuit.append(at.op, at.wires, at.params, at.controls);
    if (in_the_middle && below(6) == 0) circuit.measure(below(wires), below(wires));
    if (in_the_middle && below(9) == 0) circuit.reset(below(wires));
  }
  for (Wire wire = 0; wire < wires; ++wire) {
    if (below(3) != 0) circuit.measure(wire, wire);
  }
  return circuit;
}

void expect_same_outcomes(const Circuit& before, const Circuit& after) {
  const Distribution expected = outcomes(before), actual = outcomes(after);
  for (const auto& [bits, chance] : expected) {
    const auto found = actual.find(bits);
    ASSERT_NEAR(found == actual.end() ? 0.0 : found->second, chance, 1e-11) << bits;
  }
}

TEST(OutcomePasses, EachKeepsTheJointDistributionOfTheBits) {
  std::mt19937_64 random(1);
  for (const CircuitPass* pass : outcome_passes()) {
    SCOPED_TRACE(pass->name);
    for (int round = 0; round < 1000; ++round) {
      const Circuit circuit = random_program(random, 2 + static_cast<std::uint32_t>(random() % 3), round % 2 == 0);
      expect_same_outcomes(circuit, pass->run(circuit));
    }
  }
}

TEST(OutcomePasses, KeepTheDistributionTogetherOnADevice) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 1000; ++round) {
    const Circuit circuit = random_program(random, 4, round % 2 == 0);
    const auto level = static_cast<Level>(round % 3);
    const Compiled made =
        compile(circuit, {.level = level, .target = Target{}, .error_budget = 0, .reuse_qubits = true});
    expect_same_outcomes(circuit, std::get<Circuit>(made.program));
  }
}

// Gates under conditions on what was measured, one block in the other.
void add_block(std::mt19937_64& random, Circuit& circuit, int gates, int depth) {
  const auto below = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  const std::uint32_t wires = circuit.num_wires();
  for (int i = 0; i < gates; ++i) {
    const Wire a = below(wires), b = (a + 1 + below(wires - 1)) % wires;
    switch (below(9)) {
      case 0:
        circuit.measure(a, a);
        break;
      case 1:
        if (below(3) == 0) circuit.reset(a);
        break;
      case 2:
      case 3:
        if (depth > 0) {
          const ExprId bit = circuit.expressions().leaf(ExprOp::bit, b, ScalarType{ScalarKind::boolean});
          const BlockId then_block = circuit.open_block();
          add_block(random, circuit, 3, depth - 1);
          circuit.close_block();
          BlockId else_block = kNoBlock;
          if (below(2) == 0) {
            else_block = circuit.open_block();
            add_block(random, circuit, 2, depth - 1);
            circuit.close_block();
          }
          circuit.if_else(bit, then_block, else_block);
        }
        break;
      case 4:
        circuit.h(a);
        break;
      case 5:
        circuit.rx(0.25 * (1 + below(6)), a);
        break;
      case 6:
        circuit.t(a);
        break;
      default:
        circuit.cx(a, b);
    }
  }
}

TEST(DevicePasses, KeepTheOutcomesOfProgramsWithControlFlow) {
  std::mt19937_64 random(7);
  Target line{.qubits = 4, .all_to_all = false, .coupling = {{0, 1}, {1, 2}, {2, 3}}};
  Target star{.qubits = 4, .all_to_all = false, .coupling = {{0, 1}, {0, 2}, {0, 3}}};
  for (int round = 0; round < 1000; ++round) {
    Circuit circuit(3, 3);
    for (Wire w = 0; w < 3; ++w) circuit.h(w);
    add_block(random, circuit, 9, 2);
    for (Wire w = 0; w < 3; ++w) circuit.rx(0.7, w).measure(w, w);
    const auto level = static_cast<Level>(round % 3);
    const std::array<Target, 3> targets = {Target{}, line, star};
    const Compiled made = compile(circuit, {.level = level, .target = targets[random() % 3], .error_budget = 0});
    SCOPED_TRACE(round);
    expect_same_outcomes(circuit, std::get<Circuit>(made.program));
  }
}

TEST(OutcomePasses, LeaveACircuitAloneThatMeasuresNothing) {
  Circuit circuit(3);
  circuit.h(0).cx(0, 1).rz(0.3, 2);
  for (const CircuitPass* pass : outcome_passes()) EXPECT_EQ(pass->run(circuit), circuit) << pass->name;
}

const Circuit with(const Circuit& circuit, std::string_view name) {
  for (const CircuitPass* pass : outcome_passes()) {
    if (pass->name == name) return pass->run(circuit);
  }
  return {};
}

TEST(RemoveFreshResets, TakesLeadingOnesOnly) {
  Circuit circuit(2, 1);
  circuit.reset(0).h(0).reset(0).reset(1).cx(0, 1).measure(1, 0);
  EXPECT_EQ(with(circuit, "remove_fresh_resets").body().size(), 4U);
}

TEST(RemoveUnobserved, KeepsTheLightConeAndDropsWhatOutcomesDoNotSee) {
  Circuit circuit(4, 2);
  circuit.h(0).cx(0, 1).h(2).cx(2, 3).rz(0.4, 0).cz(0, 1).cx(0, 3).measure(0, 0).measure(1, 1).h(0);
  const Circuit kept = with(circuit, "remove_unobserved");
  ASSERT_EQ(kept.body().size(), 4U);  // h, cx, two measurements
  EXPECT_EQ(kept.body()[1].wires[1], 1U);
}

TEST(RemoveUnobserved, KeepsAPhaseThatALaterGateTurnsIntoAnOutcome) {
  Circuit circuit(1, 1);
  circuit.h(0).rz(0.4, 0).h(0).measure(0, 0);
  EXPECT_EQ(with(circuit, "remove_unobserved"), circuit);
}

TEST(ReuseQubits, RunsBernsteinVaziraniAndAChainOnTwoWires) {
  Circuit bv(21, 20);
  bv.x(20).h(20);
  for (Wire wire = 0; wire < 20; ++wire) bv.h(wire).cx(wire, 20).h(wire).measure(wire, wire);
  EXPECT_EQ(with(bv, "reuse_qubits").num_wires(), 2U);
  Circuit ghz(30, 30);
  ghz.h(0);
  for (Wire wire = 0; wire + 1 < 30; ++wire) ghz.cx(wire, wire + 1);
  ghz.barrier();
  for (Wire wire = 0; wire < 30; ++wire) ghz.measure(wire, wire);
  EXPECT_EQ(with(ghz, "reuse_qubits").num_wires(), 2U);
}

TEST(ReuseQubits, NeedsAllWiresWhereAllMeetAll) {
  Circuit circuit(5, 5);
  for (int layer = 0; layer < 2; ++layer) {
    for (Wire a = 0; a < 5; ++a) {
      for (Wire b = 0; b < a; ++b) circuit.cx(a, b);
    }
  }
  for (Wire wire = 0; wire < 5; ++wire) circuit.measure(wire, wire);
  EXPECT_EQ(with(circuit, "reuse_qubits"), circuit);
}

}  // namespace
}  // namespace skerry::passes
