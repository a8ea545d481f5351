// The type rules of arithmetic.hpp: which operations are there, and what comes out of them.
#include <algorithm>
#include <array>
#include <skerry/error.hpp>

#include "ir/circuit/arithmetic.hpp"

namespace skerry::ir {
namespace {

struct ExprRow {
  std::string_view name;
  int operands;
};
constexpr std::array kRows = {
#define SKERRY_EXPR(name, operands) ExprRow{#name, operands},
#include <skerry/expressions.def>
#undef SKERRY_EXPR
};

constexpr ScalarType kBool{ScalarKind::boolean, 1};
constexpr ScalarType kInt{ScalarKind::integer, 64};
constexpr ScalarType kUint{ScalarKind::unsigned_integer, 64};
constexpr ScalarType kReal{ScalarKind::real, 64};

bool is_angle(ScalarType t) {
  return t.kind == ScalarKind::angle;
}

[[noreturn]] void refuse(ExprOp op, ScalarType a, ScalarType b) {
  std::string types = type_text(a);
  if (expr_operands(op) == 2) types += " and " + type_text(b);
  throw Error(ErrorCode::semantic_error, "no operation '" + std::string(expr_name(op)) + "' on " + types, {},
              "cast an operand");
}

ScalarType angle_type(ExprOp op, ScalarType a, ScalarType b) {
  const bool both = is_angle(a) && is_angle(b);
  const ScalarType angle{ScalarKind::angle, both ? std::max(a.width, b.width) : is_angle(a) ? a.width : b.width};
  if (op == ExprOp::add || op == ExprOp::sub) return angle;
  if (op == ExprOp::mul && !both) return angle;
  if (op == ExprOp::div && both) return kUint;
  if (op == ExprOp::div && is_angle(a)) return angle;
  if (op == ExprOp::mod && both) return angle;
  refuse(op, a, b);
}

ScalarType bitwise_type(ExprOp op, ScalarType a, ScalarType b) {
  if (!is_integral(a) || !is_integral(b)) refuse(op, a, b);
  if (a.kind == ScalarKind::boolean && b.kind == ScalarKind::boolean) return kBool;
  return common_type(a, b);
}

ScalarType shift_type(ExprOp op, ScalarType a, ScalarType b) {
  if (!is_integral(a) || !is_integral(b)) refuse(op, a, b);
  // A single bit shifts as a register of one.
  return a.kind == ScalarKind::boolean ? ScalarType{ScalarKind::unsigned_integer, 1} : a;
}

}  // namespace

bool is_integral(ScalarType type) noexcept {
  return type.kind < ScalarKind::real;
}

ScalarType common_type(ScalarType a, ScalarType b) noexcept {
  if (!is_integral(a) || !is_integral(b)) return kReal;
  if (a.kind == ScalarKind::boolean && b.kind == ScalarKind::boolean) return kInt;
  if (a.kind == ScalarKind::boolean) return b;
  if (b.kind == ScalarKind::boolean) return a;
  return {std::max(a.kind, b.kind), std::max(a.width, b.width)};
}

std::string_view expr_name(ExprOp op) noexcept {
  return kRows[static_cast<std::size_t>(op)].name;
}
int expr_operands(ExprOp op) noexcept {
  return kRows[static_cast<std::size_t>(op)].operands;
}

std::string type_text(ScalarType type) {
  static constexpr std::array<std::string_view, 5> kNames = {"bool", "int", "uint", "real", "angle"};
  const int usual = type.kind == ScalarKind::boolean ? 1 : 64;
  std::string text(kNames[static_cast<std::size_t>(type.kind)]);
  if (type.width != usual) text += "[" + std::to_string(type.width) + "]";
  return text;
}

ScalarType result_type(ExprOp op, ScalarType a, ScalarType b) {
  switch (op) {
    case ExprOp::constant:
    case ExprOp::parameter:
    case ExprOp::variable:
    case ExprOp::bit:
    case ExprOp::bits:
    case ExprOp::element:
    case ExprOp::cast:
      break;
    case ExprOp::neg:
      return a.kind == ScalarKind::boolean ? kInt : a;
    case ExprOp::logical_not:
    case ExprOp::logical_and:
    case ExprOp::logical_or:
    case ExprOp::eq:
    case ExprOp::ne:
    case ExprOp::lt:
    case ExprOp::le:
    case ExprOp::gt:
    case ExprOp::ge:
      return kBool;
    case ExprOp::bit_not:
      if (!is_integral(a)) refuse(op, a, b);
      return a;
    case ExprOp::popcount:
      if (!is_integral(a)) refuse(op, a, b);
      return kUint;
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
      return kReal;
    case ExprOp::add:
    case ExprOp::sub:
    case ExprOp::mul:
    case ExprOp::div:
    case ExprOp::mod:
      return is_angle(a) || is_angle(b) ? angle_type(op, a, b) : common_type(a, b);
    case ExprOp::pow:
      if (is_angle(a) || is_angle(b)) refuse(op, a, b);
      if (!is_integral(a) || !is_integral(b)) return kReal;
      return a.kind == ScalarKind::boolean ? kInt : a;
    case ExprOp::bit_and:
    case ExprOp::bit_or:
    case ExprOp::bit_xor:
      return bitwise_type(op, a, b);
    case ExprOp::shl:
    case ExprOp::shr:
    case ExprOp::rotl:
    case ExprOp::rotr:
      return shift_type(op, a, b);
  }
  throw Error(ErrorCode::internal, "'" + std::string(expr_name(op)) + "' is a leaf and has no operands");
}

}  // namespace skerry::ir
