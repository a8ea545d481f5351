#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/expression.hpp>

#include "base/thrown_by.hpp"
#include "ir/circuit/arithmetic.hpp"

namespace skerry {
namespace {

constexpr ScalarType kInt8{ScalarKind::integer, 8};
constexpr ScalarType kUint8{ScalarKind::unsigned_integer, 8};
constexpr ScalarType kInt64{ScalarKind::integer, 64};
constexpr ScalarType kUint64{ScalarKind::unsigned_integer, 64};
constexpr ScalarType kAngle{ScalarKind::angle, 64};
constexpr ScalarType kReal{};
constexpr double kTurn = 2 * std::numbers::pi;

Scalar angle(double radians) {
  return Scalar::of(radians).cast(kAngle);
}

/// Evaluates `op` twice, folded from constants and at run time from variables, and demands that both agree.
Scalar both_ways(ExprOp op, Scalar a, Scalar b) {
  ExprPool folded;
  const ExprId constant = folded.binary(op, folded.constant(a), folded.constant(b));
  EXPECT_TRUE(folded.is_constant(constant));
  ExprPool pool;
  const ExprId x = pool.leaf(ExprOp::variable, 0, a.type);
  const ExprId late = pool.binary(op, x, pool.leaf(ExprOp::variable, 1, b.type));
  const Scalar values[] = {a, b};
  const Scalar result = pool.evaluate(late, {{}, values, {}});
  EXPECT_EQ(result.type, folded[constant].type);
  EXPECT_EQ(result.integer, folded[constant].value.integer);
  return result;
}

// Oracle: the same operators on C++'s fixed-width types, whose wrapping C++20 defines.
RC_GTEST_PROP(Arithmetic, SignedIntegersWrapLikeThoseOfTheMachine, (std::int8_t x, std::int8_t y)) {
  const auto scalar = [](int v) { return Scalar::of(std::int64_t{v}, kInt8); };
  const auto wrapped = [](int v) { return std::int64_t{static_cast<std::int8_t>(v)}; };
  RC_ASSERT(both_ways(ExprOp::add, scalar(x), scalar(y)).integer == wrapped(x + y));
  RC_ASSERT(both_ways(ExprOp::sub, scalar(x), scalar(y)).integer == wrapped(x - y));
  RC_ASSERT(both_ways(ExprOp::mul, scalar(x), scalar(y)).integer == wrapped(x * y));
  RC_ASSERT(both_ways(ExprOp::bit_xor, scalar(x), scalar(y)).integer == wrapped(x ^ y));
  RC_ASSERT((both_ways(ExprOp::lt, scalar(x), scalar(y)).integer != 0) == (x < y));
  if (y != 0) {
    RC_ASSERT(both_ways(ExprOp::div, scalar(x), scalar(y)).integer == wrapped(x / y));
    RC_ASSERT(both_ways(ExprOp::mod, scalar(x), scalar(y)).integer == wrapped(x % y));
  }
}

RC_GTEST_PROP(Arithmetic, UnsignedIntegersWrapShiftAndRotate, (std::uint8_t x, std::uint8_t y)) {
  const auto scalar = [](int v) { return Scalar::of(std::int64_t{v}, kUint8); };
  const int distance = y % 12;
  RC_ASSERT(both_ways(ExprOp::sub, scalar(x), scalar(y)).integer == static_cast<std::uint8_t>(x - y));
  RC_ASSERT(both_ways(ExprOp::mul, scalar(x), scalar(y)).integer == static_cast<std::uint8_t>(x * y));
  RC_ASSERT(both_ways(ExprOp::shl, scalar(x), scalar(distance)).integer == static_cast<std::uint8_t>(x << distance));
  RC_ASSERT(both_ways(ExprOp::shr, scalar(x), scalar(distance)).integer == x >> distance);
  RC_ASSERT(both_ways(ExprOp::rotl, scalar(x), scalar(y)).integer == std::rotl(x, y));
  RC_ASSERT(both_ways(ExprOp::rotr, scalar(x), scalar(y)).integer == std::rotr(x, y));
  ExprPool pool;
  RC_ASSERT(pool[pool.unary(ExprOp::popcount, pool.constant(scalar(x)))].value.integer == std::popcount(x));
  RC_ASSERT(pool[pool.unary(ExprOp::bit_not, pool.constant(scalar(x)))].value.integer == static_cast<std::uint8_t>(~x));
}

TEST(Arithmetic, PromotesBoolToIntToUintToRealAtTheLargerWidth) {
  const ScalarType boolean{ScalarKind::boolean, 1};
  EXPECT_EQ(ir::result_type(ExprOp::add, boolean, boolean), kInt64);
  EXPECT_EQ(ir::result_type(ExprOp::add, boolean, kUint8), kUint8);
  EXPECT_EQ(ir::result_type(ExprOp::add, kInt8, kUint8), kUint8);
  EXPECT_EQ(ir::result_type(ExprOp::add, kInt64, kUint8), kUint64);
  EXPECT_EQ(ir::result_type(ExprOp::mul, kInt64, kReal), kReal);
  EXPECT_EQ(ir::result_type(ExprOp::bit_and, boolean, boolean), boolean);
}

TEST(Arithmetic, AnglesLiveModuloOneTurn) {
  EXPECT_NEAR(both_ways(ExprOp::add, angle(6), angle(1)).real, 7 - kTurn, 1e-15);
  EXPECT_NEAR(both_ways(ExprOp::sub, angle(1), angle(2)).real, kTurn - 1, 1e-15);
  EXPECT_NEAR(both_ways(ExprOp::mul, angle(2), Scalar::of(std::int64_t{4}, kUint8)).real, 8 - kTurn, 1e-15);
  EXPECT_NEAR(both_ways(ExprOp::div, angle(2), Scalar::of(std::int64_t{4}, kUint8)).real, 0.5, 1e-15);
  const Scalar quotient = both_ways(ExprOp::div, angle(6), angle(2.5));
  EXPECT_EQ(quotient.type, kUint64);
  EXPECT_EQ(quotient.integer, 2);
  EXPECT_EQ(base::thrown_by([] { both_ways(ExprOp::mul, angle(1), angle(1)); }).code(), ErrorCode::semantic_error);
  EXPECT_EQ(base::thrown_by([] { both_ways(ExprOp::pow, angle(1), Scalar::of(2.0)); }).code(),
            ErrorCode::semantic_error);
  EXPECT_EQ(base::thrown_by([] { both_ways(ExprOp::shl, angle(1), Scalar::of(std::int64_t{1})); }).code(),
            ErrorCode::semantic_error);
}

TEST(Arithmetic, PowersOfIntegersAreExactAndWrap) {
  const auto power = [](std::int64_t base, std::int64_t exponent, ScalarType type) {
    return both_ways(ExprOp::pow, Scalar::of(base, type), Scalar::of(exponent, kUint8)).integer;
  };
  EXPECT_EQ(power(3, 39, kInt64), 4052555153018976267);
  EXPECT_EQ(power(2, 10, kUint8), 0);
  EXPECT_EQ(power(-2, 7, kInt8), -128);
  ExprPool pool;
  const ExprId half =
      pool.binary(ExprOp::pow, pool.constant(Scalar::of(std::int64_t{2})), pool.constant(Scalar::of(std::int64_t{-1})));
  EXPECT_EQ(pool[half].value.as_real(), 0.5);
}

TEST(Arithmetic, CastsWrapTruncateAndReduce) {
  EXPECT_EQ(Scalar::of(300.9).cast(kInt8).integer, 44);
  EXPECT_EQ(Scalar::of(-1.9).cast(kUint8).integer, 255);
  EXPECT_EQ(Scalar::of(1e300).as_integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(Scalar::of(std::int64_t{-1}, kUint64).as_real(), 18446744073709551616.0);
  EXPECT_EQ(static_cast<std::uint64_t>(Scalar::of(1e19).cast(kUint64).integer), 10000000000000000000U);
  EXPECT_NEAR(angle(-1).real, kTurn - 1, 1e-15);
  EXPECT_TRUE(Scalar::of(0.1).cast({ScalarKind::boolean, 1}).as_bool());
}

TEST(ExprPool, RefusesWhatHasNoFiniteValue) {
  const Scalar zero = Scalar::of(std::int64_t{0});
  EXPECT_EQ(base::thrown_by([&] { both_ways(ExprOp::div, Scalar::of(std::int64_t{1}), zero); }).code(),
            ErrorCode::semantic_error);
  EXPECT_EQ(base::thrown_by([&] { both_ways(ExprOp::mod, Scalar::of(1.0), Scalar::of(0.0)); }).code(),
            ErrorCode::semantic_error);
  EXPECT_EQ(base::thrown_by([] { both_ways(ExprOp::mul, Scalar::of(1e200), Scalar::of(1e200)); }).code(),
            ErrorCode::semantic_error);
  EXPECT_EQ(base::thrown_by([] { both_ways(ExprOp::pow, Scalar::of(-2.0), Scalar::of(0.5)); }).code(),
            ErrorCode::semantic_error);
  EXPECT_EQ(base::thrown_by([] { ExprPool().constant(NAN); }).code(), ErrorCode::semantic_error);
  for (const ExprOp op : {ExprOp::asin, ExprOp::acos}) {
    ExprPool pool;
    EXPECT_EQ(base::thrown_by([&] { pool.unary(op, pool.constant(2.0)); }).code(), ErrorCode::semantic_error);
  }
  for (const ExprOp op : {ExprOp::ln, ExprOp::sqrt}) {
    ExprPool pool;
    const ExprId late = pool.unary(op, pool.leaf(ExprOp::parameter, 0, {}));
    const Scalar minus_one[] = {Scalar::of(-1.0)};
    EXPECT_EQ(base::thrown_by([&] { pool.evaluate(late, {minus_one, {}, {}}); }).code(), ErrorCode::semantic_error);
  }
}

TEST(ExprPool, FoldsEveryFunctionToTheLibrarysValue) {
  const std::pair<ExprOp, double> expected[] = {{ExprOp::sin, 0.47942553860420300},
                                                {ExprOp::cos, 0.87758256189037271},
                                                {ExprOp::tan, 0.54630248984379051},
                                                {ExprOp::asin, 0.52359877559829887},
                                                {ExprOp::acos, 1.0471975511965977},
                                                {ExprOp::atan, 0.46364760900080612},
                                                {ExprOp::exp, 1.6487212707001282},
                                                {ExprOp::ln, -0.69314718055994531},
                                                {ExprOp::sqrt, 0.70710678118654752},
                                                {ExprOp::floor, 0.0},
                                                {ExprOp::ceiling, 1.0}};
  for (const auto& [op, value] : expected) {
    ExprPool pool;
    EXPECT_NEAR(pool[pool.unary(op, pool.constant(0.5))].value.real, value, 1e-15) << ir::expr_name(op);
  }
}

TEST(ExprPool, GivesEqualExpressionsEqualIds) {
  ExprPool pool;
  const auto build = [&pool] {
    return pool.binary(ExprOp::mul, pool.constant(2.0), pool.leaf(ExprOp::parameter, 0, {}));
  };
  const ExprId first = build();
  const std::size_t size = pool.size();
  EXPECT_EQ(build(), first);
  EXPECT_EQ(pool.size(), size);
  EXPECT_NE(pool.constant(0.0), pool.constant(-0.0));
  EXPECT_NE(pool.constant(1.0), pool.constant(Scalar::of(std::int64_t{1})));
}

TEST(ExprPool, ReadsBitsVariablesAndElements) {
  ExprPool pool;
  const ExprId bits = pool.leaf(ExprOp::bits, 1, {}, 3);
  const ExprId element = pool.leaf(ExprOp::element, 1, kInt8, bits, 4);
  const Scalar variables[] = {Scalar::of(std::int64_t{9}, kInt8), Scalar::of(std::int64_t{10}, kInt8),
                              Scalar::of(std::int64_t{11}, kInt8), Scalar::of(std::int64_t{12}, kInt8),
                              Scalar::of(std::int64_t{13}, kInt8)};
  const std::uint8_t two[] = {1, 0, 1, 0};
  EXPECT_EQ(pool.evaluate(bits, {{}, variables, two}).integer, 2);
  EXPECT_EQ(pool.evaluate(element, {{}, variables, two}).integer, 12);
  const std::uint8_t five[] = {0, 1, 0, 1};
  EXPECT_EQ(base::thrown_by([&] { pool.evaluate(element, {{}, variables, five}); }).code(), ErrorCode::out_of_range);
  EXPECT_EQ(base::thrown_by([&] {
              pool.evaluate(element, {{}, std::span(variables).first(2), two});
            }).code(),
            ErrorCode::out_of_range);
}

TEST(ExprPool, KnowsWhatDependsOnParametersOnly) {
  ExprPool pool;
  const ExprId theta = pool.leaf(ExprOp::parameter, 0, {});
  const ExprId bit = pool.leaf(ExprOp::bit, 0, {});
  EXPECT_TRUE(pool.is_static(pool.unary(ExprOp::sin, theta)));
  EXPECT_FALSE(pool.is_static(pool.binary(ExprOp::mul, theta, bit)));
}

TEST(ExprPool, WalksADeepAndSharedExpressionOnce) {
  ExprPool pool;
  // 2^200 paths and 200 000 levels: neither paths nor levels may cost anything.
  ExprId sum = pool.leaf(ExprOp::variable, 0, kUint64);
  for (int i = 0; i < 200; ++i) sum = pool.binary(ExprOp::add, sum, sum);
  const ExprId one = pool.constant(Scalar::of(std::int64_t{1}, kUint64));
  const ExprId x = pool.leaf(ExprOp::variable, 0, kUint64);
  for (int i = 0; i < 200'000; ++i) sum = pool.binary(ExprOp::add, pool.binary(ExprOp::mul, sum, one), x);
  const Scalar three[] = {Scalar::of(std::int64_t{3}, kUint64)};
  EXPECT_EQ(pool.evaluate(sum, {{}, three, {}}).integer, 600'000);
}

}  // namespace
}  // namespace skerry
