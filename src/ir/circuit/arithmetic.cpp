#include "ir/circuit/arithmetic.hpp"

#include <bit>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>

namespace skerry::ir {
namespace {

bool is_angle(ScalarType t) {
  return t.kind == ScalarKind::angle;
}

[[noreturn]] void fail(ExprOp op, const std::string& why) {
  throw Error(ErrorCode::semantic_error, why + " in '" + std::string(expr_name(op)) + "'");
}

Scalar real_result(ExprOp op, ScalarType type, double value) {
  if (!std::isfinite(value)) fail(op, "a result that is not a finite number");
  return Scalar::of(value).cast(type);
}

double real_function(ExprOp op, double x) {
  if (op == ExprOp::sin) return std::sin(x);
  if (op == ExprOp::cos) return std::cos(x);
  if (op == ExprOp::tan) return std::tan(x);
  if (op == ExprOp::asin) return std::asin(x);
  if (op == ExprOp::acos) return std::acos(x);
  if (op == ExprOp::atan) return std::atan(x);
  if (op == ExprOp::exp) return std::exp(x);
  if (op == ExprOp::ln) return std::log(x);
  if (op == ExprOp::sqrt) return std::sqrt(x);
  return op == ExprOp::floor ? std::floor(x) : std::ceil(x);
}

double real_arithmetic(ExprOp op, double a, double b) {
  if ((op == ExprOp::div || op == ExprOp::mod) && b == 0) fail(op, "division by zero");
  if (op == ExprOp::add) return a + b;
  if (op == ExprOp::sub) return a - b;
  if (op == ExprOp::mul) return a * b;
  if (op == ExprOp::div) return a / b;
  if (op == ExprOp::mod) return std::fmod(a, b);
  return std::pow(a, b);
}

std::uint64_t integer_power(ExprOp op, const Scalar& a, const Scalar& b) {
  auto base = static_cast<std::uint64_t>(a.integer);
  const std::int64_t exponent = b.integer;
  if (b.type.kind == ScalarKind::integer && exponent < 0) {
    // The type is an integer's already, so the fraction truncates toward zero: only +-1 have an inverse.
    if (base == 0) fail(op, "division by zero");
    const bool is_minus_one = a.type.kind == ScalarKind::integer && a.integer == -1;
    if (base == 1 || is_minus_one) return (exponent & 1) != 0 ? base : 1;
    return 0;
  }
  std::uint64_t result = 1;
  for (auto e = static_cast<std::uint64_t>(exponent); e != 0; e >>= 1U, base *= base) {
    if ((e & 1U) != 0) result *= base;
  }
  return result;
}

/// Two operands already converted to the result's type; arithmetic modulo 2^64, wrapped by the caller.
std::uint64_t integer_arithmetic(ExprOp op, ScalarType type, const Scalar& a, const Scalar& b) {
  const auto x = static_cast<std::uint64_t>(a.integer);
  const auto y = static_cast<std::uint64_t>(b.integer);
  if (op == ExprOp::add) return x + y;
  if (op == ExprOp::sub) return x - y;
  if (op == ExprOp::mul) return x * y;
  if (op == ExprOp::bit_and) return x & y;
  if (op == ExprOp::bit_or) return x | y;
  if (op == ExprOp::bit_xor) return x ^ y;
  if (y == 0) fail(op, "division by zero");
  if (type.kind == ScalarKind::unsigned_integer) return op == ExprOp::div ? x / y : x % y;
  if (b.integer == -1) return op == ExprOp::div ? 0 - x : 0;  // the one quotient that overflows
  return static_cast<std::uint64_t>(op == ExprOp::div ? a.integer / b.integer : a.integer % b.integer);
}

bool compare(ExprOp op, const Scalar& a, const Scalar& b) {
  const ScalarType type = common_type(a.type, b.type);
  const Scalar x = a.cast(type);
  const Scalar y = b.cast(type);
  const auto decide = [op](auto l, auto r) {
    if (op == ExprOp::eq) return l == r;
    if (op == ExprOp::ne) return l != r;
    if (op == ExprOp::lt) return l < r;
    if (op == ExprOp::le) return l <= r;
    if (op == ExprOp::gt) return l > r;
    return l >= r;
  };
  if (!is_integral(type)) return decide(x.real, y.real);
  if (type.kind == ScalarKind::integer) return decide(x.integer, y.integer);
  return decide(static_cast<std::uint64_t>(x.integer), static_cast<std::uint64_t>(y.integer));
}

Scalar shift(ExprOp op, ScalarType type, const Scalar& a, const Scalar& b) {
  const Scalar value = a.cast(type);
  if (b.type.kind == ScalarKind::integer && b.integer < 0) fail(op, "a negative distance");
  const auto distance = static_cast<std::uint64_t>(b.integer);
  const bool is_out = distance >= type.width;
  if (op == ExprOp::shl) {
    return Scalar::of(is_out ? 0 : static_cast<std::int64_t>(static_cast<std::uint64_t>(value.integer) << distance),
                      type);
  }
  // Wrapped values carry their sign in 64 bits, so >> is arithmetic for signed and logical for unsigned types.
  if (is_out) return Scalar::of(std::int64_t{type.kind == ScalarKind::integer && value.integer < 0 ? -1 : 0}, type);
  if (type.kind == ScalarKind::integer) return Scalar::of(value.integer >> distance, type);
  return Scalar::of(static_cast<std::int64_t>(static_cast<std::uint64_t>(value.integer) >> distance), type);
}

Scalar rotate(ExprOp op, ScalarType type, const Scalar& a, const Scalar& b) {
  const std::int64_t width = type.width;
  std::int64_t left = b.type.kind == ScalarKind::unsigned_integer
                          ? static_cast<std::int64_t>(static_cast<std::uint64_t>(b.integer) % type.width)
                          : (b.integer % width + width) % width;
  if (op == ExprOp::rotr) left = (width - left) % width;
  const ScalarType as_unsigned{ScalarKind::unsigned_integer, type.width};
  const auto bits = static_cast<std::uint64_t>(a.cast(as_unsigned).integer);
  const std::uint64_t turned = left == 0 ? bits : (bits << left) | (bits >> (width - left));
  return Scalar::of(static_cast<std::int64_t>(turned), type);
}

Scalar arithmetic(ExprOp op, ScalarType type, const Scalar& a, const Scalar& b) {
  if (op == ExprOp::div && is_angle(a.type) && is_angle(b.type)) {
    return real_result(op, type, real_arithmetic(op, a.real, b.real));
  }
  if (!is_integral(type)) return real_result(op, type, real_arithmetic(op, a.as_real(), b.as_real()));
  const std::uint64_t bits =
      op == ExprOp::pow ? integer_power(op, a.cast(type), b) : integer_arithmetic(op, type, a.cast(type), b.cast(type));
  return Scalar::of(static_cast<std::int64_t>(bits), type);
}

Scalar negated(ExprOp op, ScalarType type, const Scalar& a) {
  if (!is_integral(type)) return real_result(op, type, -a.real);
  return Scalar::of(static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a.cast(type).integer)), type);
}

}  // namespace

Scalar apply(ExprOp op, ScalarType result, const Scalar& a, const Scalar& b) {
  switch (op) {
    case ExprOp::constant:
    case ExprOp::parameter:
    case ExprOp::variable:
    case ExprOp::bit:
    case ExprOp::bits:
    case ExprOp::element:
      break;
    case ExprOp::cast:
      return a.cast(result);
    case ExprOp::neg:
      return negated(op, result, a);
    case ExprOp::logical_not:
      return Scalar::of(!a.as_bool());
    case ExprOp::logical_and:
      return Scalar::of(a.as_bool() && b.as_bool());
    case ExprOp::logical_or:
      return Scalar::of(a.as_bool() || b.as_bool());
    case ExprOp::eq:
    case ExprOp::ne:
    case ExprOp::lt:
    case ExprOp::le:
    case ExprOp::gt:
    case ExprOp::ge:
      return Scalar::of(compare(op, a, b));
    case ExprOp::bit_not:
      return a.type.kind == ScalarKind::boolean ? Scalar::of(!a.as_bool()) : Scalar::of(~a.integer, result);
    case ExprOp::popcount: {
      const ScalarType bits{ScalarKind::unsigned_integer, a.type.width};
      return Scalar::of(std::int64_t{std::popcount(static_cast<std::uint64_t>(a.cast(bits).integer))}, result);
    }
    case ExprOp::sin:
    case ExprOp::cos:
    case ExprOp::tan:
    case ExprOp::asin:
    case ExprOp::acos:
    case ExprOp::atan:
    case ExprOp::exp:
    case ExprOp::ln:
    case ExprOp::sqrt:
    case ExprOp::floor:
    case ExprOp::ceiling:
      return real_result(op, result, real_function(op, a.as_real()));
    case ExprOp::add:
    case ExprOp::sub:
    case ExprOp::mul:
    case ExprOp::div:
    case ExprOp::mod:
    case ExprOp::pow:
      return arithmetic(op, result, a, b);
    case ExprOp::bit_and:
    case ExprOp::bit_or:
    case ExprOp::bit_xor:
      return Scalar::of(static_cast<std::int64_t>(integer_arithmetic(op, result, a.cast(result), b.cast(result))),
                        result);
    case ExprOp::shl:
    case ExprOp::shr:
      return shift(op, result, a, b);
    case ExprOp::rotl:
    case ExprOp::rotr:
      return rotate(op, result, a, b);
  }
  throw Error(ErrorCode::internal, "'" + std::string(expr_name(op)) + "' is a leaf and has no operands");
}

}  // namespace skerry::ir
