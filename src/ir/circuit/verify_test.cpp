#include "ir/verify.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <skerry/error.hpp>

namespace skerry::ir {
namespace {

Block rows(std::initializer_list<Instruction> instructions) {
  Block block;
  for (const Instruction& i : instructions) block.append(i);
  return block;
}

/// A circuit of two wires and two bits that verifies, with whatever `plant` puts in.
void expect_refused(const std::function<void(Circuit&)>& plant, const std::string& where, const std::string& part) {
  Circuit circuit(2, 2);
  circuit.h(0);
  verify(circuit);
  plant(circuit);
  try {
    verify(circuit);
    FAIL() << "accepted: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::semantic_error);
    EXPECT_EQ(e.where(), where) << e.what();
    EXPECT_NE(e.message().find(part), std::string::npos) << e.what();
  }
}

constexpr Wire kZero[] = {0};
constexpr Wire kBoth[] = {0, 1};
constexpr Wire kTwice[] = {1, 1};
constexpr Wire kOutside[] = {2};

void body(Circuit& circuit, const Instruction& second) {
  circuit.replace_block(0, rows({{Op::h, 0, 0, kZero, {}}, second}));
}

TEST(VerifyCircuit, C1WiresAreInRangeAndDistinct) {
  expect_refused([](Circuit& c) { body(c, {Op::x, 0, 0, kOutside, {}}); }, "block 0 gate 1", "wire 2 of 2");
  expect_refused([](Circuit& c) { body(c, {Op::swap, 0, 0, kTwice, {}}); }, "block 0 gate 1", "wire 1 twice");
}

TEST(VerifyCircuit, C2CountsAreThoseOfTheTable) {
  const Param param[] = {{0.5}};
  expect_refused([](Circuit& c) { body(c, {Op::x, 0, 0, kBoth, {}}); }, "block 0 gate 1", "target wires");
  expect_refused([](Circuit& c) { body(c, {Op::rx, 0, 0, kZero, {}}); }, "block 0 gate 1", "parameters");
  expect_refused([&](Circuit& c) { body(c, {Op::reset, 0, 0, kZero, param}); }, "block 0 gate 1", "parameters");
  expect_refused([](Circuit& c) { body(c, {Op::reset, 1, 0, kBoth, {}}); }, "block 0 gate 1", "controlled");
  expect_refused([](Circuit& c) { body(c, {Op::x, 3, 0, kBoth, {}}); }, "block 0 gate 1", "more controls");
  expect_refused([](Circuit& c) { body(c, {static_cast<Op>(999), 0, 0, kBoth, {}}); }, "block 0 gate 1", "op 999");
}

TEST(VerifyCircuit, C3MeasuredBitsAreInRange) {
  expect_refused([](Circuit& c) { body(c, {Op::measure, 0, 2, kZero, {}}); }, "block 0 gate 1", "bit");
}

TEST(VerifyCircuit, C4ParametersAreNumbersOrExpressions) {
  const Param nan[] = {{NAN}};
  const Param dangling[] = {{0.0, 5}};
  expect_refused([&](Circuit& c) { body(c, {Op::rx, 0, 0, kZero, nan}); }, "block 0 gate 1", "finite");
  expect_refused([&](Circuit& c) { body(c, {Op::rx, 0, 0, kZero, dangling}); }, "block 0 gate 1", "expression");
}

TEST(VerifyCircuit, C5LeavesNameWhatIsDeclared) {
  const ScalarType int8{ScalarKind::integer, 8};
  expect_refused([](Circuit& c) { c.expressions().leaf(ExprOp::parameter, 0, {}); }, "expression 0",
                 "parameter 0 of 0");
  expect_refused([](Circuit& c) { c.expressions().leaf(ExprOp::bit, 2, {}); }, "expression 0", "bit 2 of 2");
  expect_refused([](Circuit& c) { c.expressions().leaf(ExprOp::bits, 1, {}, 2); }, "expression 0", "bit 2 of 2");
  expect_refused(
      [&](Circuit& c) {
        c.add_variable({"v", int8, false});
        c.expressions().leaf(ExprOp::variable, 0, {});
      },
      "expression 0", "type");
  expect_refused(
      [&](Circuit& c) {
        c.add_variable({"v", int8, false});
        c.add_variable({"w", {}, false});
        c.expressions().leaf(ExprOp::element, 0, int8, c.expressions().constant(Scalar::of(std::int64_t{0})), 2);
      },
      "expression 1", "different types");
  expect_refused(
      [&](Circuit& c) {
        c.add_variable({"v", int8, false});
        c.expressions().leaf(ExprOp::element, 0, int8, c.expressions().constant(Scalar::of(std::int64_t{0})), 2);
      },
      "expression 1", "variable 1 of 1");
}

TEST(VerifyCircuit, C6BranchesConditionsAndBlocksExist) {
  expect_refused([](Circuit& c) { body(c, {Op::if_else, 0, 0, {}, {}}); }, "block 0 gate 1", "branch");
  expect_refused(
      [](Circuit& c) {
        const BlockId block = c.open_block();
        c.close_block();
        const ExprId bit = c.expressions().leaf(ExprOp::bit, 0, {});
        c.if_else(bit, block, block + 0);
        // The same branch as a loop: a loop has no else.
        body(c, {Op::while_loop, 0, 0, {}, {}});
      },
      "block 0 gate 1", "else");
}

TEST(VerifyCircuit, C7BlocksAreUsedOnceAndNotInThemselves) {
  const auto branch = [](Circuit& c, BlockId then_block, BlockId else_block) {
    c.if_else(c.expressions().leaf(ExprOp::bit, 0, {}), then_block, else_block);
  };
  expect_refused([&](Circuit& c) { branch(c, 0, kNoBlock); }, "block 0 gate 1", "used already");
  expect_refused(
      [&](Circuit& c) {
        const BlockId block = c.open_block();
        c.close_block();
        branch(c, block, block);
      },
      "block 0 gate 1", "used already");
  expect_refused(
      [&](Circuit& c) {
        const BlockId block = c.open_block();
        branch(c, block, kNoBlock);  // inside itself
        c.close_block();
        branch(c, block, kNoBlock);
      },
      "block 1 gate 0", "used already");
}

TEST(VerifyCircuit, C7NestsNoDeeperThanTheLimit) {
  const auto nested = [](std::size_t depth) {
    Circuit c(1, 1);
    const ExprId bit = c.expressions().leaf(ExprOp::bit, 0, {});
    std::vector<BlockId> blocks;
    for (std::size_t i = 0; i < depth; ++i) blocks.push_back(c.open_block());
    for (std::size_t i = depth; i-- > 0;) {
      c.close_block();
      c.if_else(bit, blocks[i]);
    }
    return c;
  };
  verify(nested(kMaxNesting));
  EXPECT_THROW(verify(nested(kMaxNesting + 1)), Error);
  EXPECT_THROW(verify(nested(200'000)), Error);
  EXPECT_TRUE(nested(200'000) == nested(200'000));
}

TEST(VerifyCircuit, C8LoopsAreLeftFromInside) {
  expect_refused([](Circuit& c) { c.append(Op::break_loop, {}); }, "block 0 gate 1", "outside of any loop");
  Circuit fine(1, 1);
  const ExprId bit = fine.expressions().leaf(ExprOp::bit, 0, {});
  const BlockId loop = fine.open_block();
  const BlockId branch = fine.open_block();
  fine.append(Op::continue_loop, {});
  fine.close_block();
  fine.if_else(bit, branch);
  fine.close_block();
  fine.while_loop(bit, loop);
  verify(fine);
}

TEST(VerifyCircuit, C9AssignmentsHaveAPlaceAndAValue) {
  const auto one = [](Circuit& c) { return c.expressions().constant(Scalar::of(std::int64_t{1})); };
  expect_refused([](Circuit& c) { body(c, {Op::assign, 0, 0, {}, {}}); }, "block 0 gate 1", "assignment");
  expect_refused(
      [&](Circuit& c) {
        c.add_bits("d", 100);
        c.assign({true, 0, 70, kNoExpr, one(c)});
      },
      "block 0 gate 1", "more than 64 bits");
  expect_refused([&](Circuit& c) { c.assign({true, 0, 1, one(c), one(c)}); }, "block 0 gate 1", "indexes bits");
  expect_refused(
      [&](Circuit& c) {
        c.add_variable({"v", {}, false});
        c.add_variable({"w", {}, false});
        c.assign({false, 0, 2, kNoExpr, one(c)});
      },
      "block 0 gate 1", "several variables");
  expect_refused(
      [&](Circuit& c) {
        c.add_variable({"v", {}, false});
        c.assign({false, 0, 1, c.expressions().constant(0.5), one(c)});
      },
      "block 0 gate 1", "not an integer");
  expect_refused(
      [&](Circuit& c) {
        c.add_variable({"v", {}, false});
        c.add_variable({"w", {ScalarKind::boolean, 1}, false});
        c.assign({false, 0, 2, one(c), one(c)});
      },
      "block 0 gate 1", "different types");
}

TEST(VerifyCircuit, C10MatricesFitTheirTargets) {
  expect_refused([](Circuit& c) { body(c, {Op::unitary, 0, 0, kZero, {}}); }, "block 0 gate 1", "matrix");
  expect_refused(
      [](Circuit& c) {
        c.add_matrix({1, {0, 1, 1, 0}});
        body(c, {Op::unitary, 0, 0, kBoth, {}});
      },
      "block 0 gate 1", "target wires");
}

TEST(VerifyCircuit, C11TypesHaveWidthsOfTheirKind) {
  expect_refused([](Circuit& c) { c.add_parameter("p", {ScalarKind::boolean, 2}); }, "parameter p", "2 bits");
  expect_refused([](Circuit& c) { c.add_variable({"v", {ScalarKind::integer, 0}, false}); }, "variable v", "0 bits");
  expect_refused([](Circuit& c) { c.add_variable({"v", {ScalarKind::integer, 65}, false}); }, "variable v", "65 bits");
}

TEST(VerifyCircuit, C12QubitsAndModesDoNotMix) {
  const Param angle[] = {{0.5}};
  expect_refused(
      [&](Circuit& c) {
        body(c, {Op::rotation, 0, 0, kZero, angle});
      },
      "block 0 gate 1", "circuit of qubits");
  Circuit modes(1, 1);
  modes.append(Op::rotation, {0}, {0.5});
  verify(modes);
  EXPECT_TRUE(acts_on_modes(modes));
  Circuit mixed = modes;
  mixed.measure(0, 0);
  EXPECT_THROW(verify(mixed), Error);
  Circuit typed(1);
  typed.add_variable({"v", {ScalarKind::integer, 8}, false});
  typed.append(Op::measure_photons, std::span(kZero), {}, 0, 0);
  EXPECT_THROW(verify(typed), Error);
  EXPECT_THROW(modes.append(Op::measure_photons, std::span(kZero), {}, 0, 0), Error);
}

TEST(VerifyCircuit, ManyReadsOfOneLongArrayTakeNoLonger) {
  // 4 * 10^9 comparisons if each read looked at each element: a minute, where a glance takes milliseconds.
  constexpr std::uint32_t kLength = 1 << 16;
  const ScalarType int8{ScalarKind::integer, 8};
  Circuit c(1);
  for (std::uint32_t i = 0; i < kLength; ++i) c.add_variable({"v" + std::to_string(i), int8, false});
  const ExprId index = c.expressions().constant(Scalar::of(std::int64_t{0}));
  for (std::uint32_t i = 0; i < kLength; ++i) c.expressions().leaf(ExprOp::element, 0, int8, index, kLength);
  verify(c);
  c.add_variable({"other", {}, false});
  c.expressions().leaf(ExprOp::element, 0, int8, index, kLength + 1);
  EXPECT_THROW(verify(c), Error);
}

}  // namespace
}  // namespace skerry::ir
