#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>

#include "base/thrown_by.hpp"
#include "ir/testing/random_circuit.hpp"
#include "ir/verify.hpp"

namespace skerry {
namespace {

TEST(Op, IsFoundByItsName) {
  for (int i = 0; i <= static_cast<int>(Op::end); ++i) {
    EXPECT_EQ(op_from_name(op_name(static_cast<Op>(i))), static_cast<Op>(i));
  }
  EXPECT_EQ(op_name(Op::rx), "rx");
  EXPECT_EQ(op_name(Op::while_loop), "while_loop");
  EXPECT_FALSE(op_from_name("cx"));
  EXPECT_EQ(gate_targets(Op::rzz), 2);
  EXPECT_EQ(gate_parameters(Op::u), 3);
}

TEST(Circuit, StoresRowsAsTheyWereAppended) {
  Circuit circuit(3, 1);
  circuit.h(0).ccx(2, 0, 1).u(0.1, 0.2, 0.3, 2).measure(1, 0);
  ASSERT_EQ(circuit.body().size(), 4U);
  const Instruction toffoli = circuit.body()[1];
  EXPECT_EQ(toffoli.op, Op::x);
  EXPECT_EQ(toffoli.controls, 2);
  EXPECT_EQ(toffoli.targets()[0], 1U);
  EXPECT_EQ(toffoli.control_wires()[0], 2U);
  EXPECT_EQ(circuit.body()[2].params[2].value, 0.3);
  EXPECT_EQ(circuit.body()[3].aux, 0U);
}

TEST(Circuit, RefusesWiresParametersAndIndicesThatDoNotFit) {
  Circuit c(2, 1);
  EXPECT_EQ(base::thrown_by([&] { c.h(2); }).code(), ErrorCode::out_of_range);
  EXPECT_EQ(base::thrown_by([&] { c.measure(0, 1); }).code(), ErrorCode::out_of_range);
  EXPECT_EQ(base::thrown_by([&] { c.cx(1, 1); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.append(Op::h, {0, 1}); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.append(Op::rx, {0}); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.rx(NAN, 0); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.rx(Param{0.0, 7}, 0); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.append(Op::reset, {0, 1}, {}, 1); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.append(Op::unitary, {0}); }).code(), ErrorCode::out_of_range);
  EXPECT_EQ(base::thrown_by([&] { c.while_loop(0, 0); }).code(), ErrorCode::out_of_range);
  EXPECT_EQ(base::thrown_by([&] { c.add_wires("r", 0x7fffffffU); }).code(), ErrorCode::out_of_range);
  EXPECT_TRUE(c.body().empty());
  Circuit wide(40);
  std::vector<Wire> wires(40);
  for (Wire w = 0; w < 40; ++w) wires[w] = w;
  wide.append(Op::barrier, wires, {});
  wires[39] = 3;
  EXPECT_EQ(base::thrown_by([&] { wide.append(Op::barrier, wires, {}); }).code(), ErrorCode::invalid_argument);
}

TEST(Circuit, RefusesAMatrixThatIsNotUnitary) {
  Circuit c(2);
  const Wire wires[] = {0};
  EXPECT_EQ(base::thrown_by([&] { c.unitary({1, {1, 0, 0, 1.0 + 1e-8}}, wires); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.unitary({1, {1, 0, 0}}, wires); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { c.unitary({1, {NAN, 0, 0, 1}}, wires); }).code(), ErrorCode::invalid_argument);
  c.unitary({1, {0, {0, -1}, {0, 1}, 0}}, wires);
  EXPECT_EQ(c.matrices().size(), 1U);
}

TEST(Circuit, MeasuresAllIntoTheBitsThereAreAndNewOnes) {
  Circuit c(3, 1);
  c.measure_all();
  EXPECT_EQ(c.num_bits(), 3U);
  EXPECT_EQ(c.bit_registers().back().name, "meas");
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(c.body()[i].aux, i);
}

TEST(Circuit, WritesAffineAnglesOnceAndFoldsNumbers) {
  Circuit c(1);
  const Affine theta = c.parameter("theta");
  c.rx(2 * theta + 0.1, 0).ry(2 * theta + 0.1, 0).rz(theta, 0);
  EXPECT_EQ(c.body()[0].params[0], c.body()[1].params[0]);
  EXPECT_EQ(c.parameter("theta").parameter, theta.parameter);
  c.rx(Param{0.0, c.expressions().constant(Scalar::of(std::int64_t{2}))}, 0);
  EXPECT_EQ(c.body()[3].params[0], (Param{2.0}));
}

TEST(Bind, PutsNumbersForParametersEverywhere) {
  Circuit c(1, 1);
  const Affine theta = c.parameter("theta");
  const Affine phi = c.parameter("phi");
  c.rx(2 * theta + 0.1, 0).rz(-phi / 4, 0);
  ExprPool& pool = c.expressions();
  const ExprId bit = pool.leaf(ExprOp::bit, 0, {});
  const ExprId runtime = pool.binary(ExprOp::mul, pool.leaf(ExprOp::parameter, 0, {}), bit);
  const BlockId block = c.open_block();
  c.ry(Param{0.0, runtime}, 0);
  c.close_block();
  c.if_else(pool.binary(ExprOp::gt, runtime, pool.constant(0.5)), block);
  const double values[] = {0.7, 3.0};
  const Circuit bound = c.bind(values);
  ir::verify(bound);
  EXPECT_TRUE(bound.parameters().empty());
  EXPECT_EQ(bound.body()[0].params[0], (Param{2 * 0.7 + 0.1}));
  EXPECT_EQ(bound.body()[1].params[0], (Param{-0.25 * 3.0}));
  const Param late = bound.blocks()[block][0].params[0];
  ASSERT_FALSE(late.is_constant());
  const std::uint8_t one[] = {1};
  EXPECT_EQ(bound.expressions().evaluate(late.expr, {{}, {}, one}).real, 0.7);
  EXPECT_TRUE(bound.expressions().evaluate(bound.branches()[0].condition, {{}, {}, one}).as_bool());
}

TEST(Bind, NamesTheMissingParameters) {
  Circuit c(1);
  c.rx(c.parameter("theta"), 0).rx(c.parameter("phi"), 0);
  const double one[] = {1.0};
  try {
    (void)c.bind(one);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
    EXPECT_NE(e.message().find("'phi'"), std::string::npos);
    EXPECT_EQ(e.message().find("'theta'"), std::string::npos);
  }
  const double infinite[] = {1.0, INFINITY};
  EXPECT_EQ(base::thrown_by([&] { (void)c.bind(infinite); }).code(), ErrorCode::invalid_argument);
}

// Oracle: evaluate() on the unbound expression, another walk than bind()'s.
RC_GTEST_PROP(Bind, AgreesWithEvaluation, (double theta)) {
  const ir::testing::CircuitTraits gates{.gates_only = true, .matrices = false, .depth = 0};
  const Circuit c = *ir::testing::any_circuit(gates);
  RC_PRE(std::isfinite(theta));
  const Scalar scalars[] = {Scalar::of(theta), Scalar::of(theta).cast(c.parameters()[1].type)};
  const double values[] = {theta, theta};
  std::vector<double> expected;
  try {
    for (std::size_t i = 0; i < c.body().size(); ++i) {
      for (const Param& p : c.body()[i].params) {
        expected.push_back(p.is_constant() ? p.value : c.expressions().evaluate(p.expr, {scalars, {}, {}}).as_real());
      }
    }
  } catch (const Error& e) {
    RC_ASSERT(e.code() == ErrorCode::semantic_error);
    RC_ASSERT_THROWS_AS((void)c.bind(values), Error);
    return;
  }
  const Circuit bound = c.bind(values);
  std::size_t next = 0;
  for (std::size_t i = 0; i < bound.body().size(); ++i) {
    for (const Param& p : bound.body()[i].params) {
      RC_ASSERT(p.is_constant());
      RC_ASSERT(p.value == expected[next++]);
    }
  }
  RC_ASSERT(next == expected.size());
}

TEST(CircuitEquality, LooksThroughIndices) {
  // The same program built in two orders: blocks, matrices and expressions get other numbers.
  const auto build = [](bool swapped) {
    Circuit c(1, 1);
    ExprPool& pool = c.expressions();
    if (swapped) pool.constant(42.0);
    const ExprId bit = pool.leaf(ExprOp::bit, 0, {});
    BlockId blocks[2] = {kNoBlock, kNoBlock};
    for (int i = 0; i < 2; ++i) {
      const bool is_then = (i == 0) != swapped;
      blocks[is_then ? 0 : 1] = c.open_block();
      if (is_then) c.x(0);
      c.close_block();
    }
    c.if_else(bit, blocks[0], blocks[1]);
    return c;
  };
  EXPECT_EQ(build(false), build(true));
  Circuit other = build(false);
  Block changed;
  const Wire wire[] = {0};
  changed.append(Op::y, wire);
  other.replace_block(other.branches()[0].then_block, changed);
  EXPECT_FALSE(other == build(false));
}

TEST(CircuitEquality, SeesEveryDifference) {
  const auto base = [] {
    Circuit c(2, 2);
    c.rx(2 * c.parameter("a") + 0.1, 0).measure(0, 0);
    return c;
  };
  EXPECT_EQ(base(), base());
  Circuit named = base();
  named.name = "n";
  EXPECT_FALSE(named == base());
  Circuit longer = base();
  longer.x(0);
  EXPECT_FALSE(longer == base());
  Circuit scaled(2, 2);
  scaled.rx(3 * scaled.parameter("a") + 0.1, 0).measure(0, 0);
  EXPECT_FALSE(scaled == base());
  Circuit measured(2, 2);
  measured.rx(2 * measured.parameter("a") + 0.1, 0).measure(0, 1);
  EXPECT_FALSE(measured == base());
}

RC_GTEST_PROP(Circuit, OfTheMakerVerifies, ()) {
  const Circuit circuit = *ir::testing::any_circuit();
  ir::verify(circuit);
  RC_ASSERT(circuit == Circuit(circuit));
}

}  // namespace
}  // namespace skerry
