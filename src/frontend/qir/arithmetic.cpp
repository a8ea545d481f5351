#include "frontend/qir/arithmetic.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

#include "frontend/qir/lexer.hpp"

namespace skerry::frontend::qir {
namespace {

constexpr ScalarType kBoolean{ScalarKind::boolean, 1};

/// How an operation reads its operands and which operation of the pool it is.
struct Row {
  std::string_view word;
  ExprOp op;
  ScalarKind reads;  ///< boolean: for i1 alone; real: for doubles
};
constexpr Row kArithmetic[] = {
    {"add", ExprOp::add, ScalarKind::unsigned_integer},
    {"sub", ExprOp::sub, ScalarKind::unsigned_integer},
    {"mul", ExprOp::mul, ScalarKind::unsigned_integer},
    {"udiv", ExprOp::div, ScalarKind::unsigned_integer},
    {"urem", ExprOp::mod, ScalarKind::unsigned_integer},
    {"sdiv", ExprOp::div, ScalarKind::integer},
    {"srem", ExprOp::mod, ScalarKind::integer},
    {"and", ExprOp::bit_and, ScalarKind::unsigned_integer},
    {"or", ExprOp::bit_or, ScalarKind::unsigned_integer},
    {"xor", ExprOp::bit_xor, ScalarKind::unsigned_integer},
    {"shl", ExprOp::shl, ScalarKind::unsigned_integer},
    {"lshr", ExprOp::shr, ScalarKind::unsigned_integer},
    {"ashr", ExprOp::shr, ScalarKind::integer},
    {"fadd", ExprOp::add, ScalarKind::real},
    {"fsub", ExprOp::sub, ScalarKind::real},
    {"fmul", ExprOp::mul, ScalarKind::real},
    {"fdiv", ExprOp::div, ScalarKind::real},
};
constexpr Row kBooleans[] = {
    {"and", ExprOp::logical_and, ScalarKind::boolean}, {"mul", ExprOp::logical_and, ScalarKind::boolean},
    {"or", ExprOp::logical_or, ScalarKind::boolean},   {"xor", ExprOp::ne, ScalarKind::boolean},
    {"add", ExprOp::ne, ScalarKind::boolean},          {"sub", ExprOp::ne, ScalarKind::boolean},
};
constexpr Row kComparisons[] = {
    {"eq", ExprOp::eq, ScalarKind::unsigned_integer},  {"ne", ExprOp::ne, ScalarKind::unsigned_integer},
    {"ugt", ExprOp::gt, ScalarKind::unsigned_integer}, {"uge", ExprOp::ge, ScalarKind::unsigned_integer},
    {"ult", ExprOp::lt, ScalarKind::unsigned_integer}, {"ule", ExprOp::le, ScalarKind::unsigned_integer},
    {"sgt", ExprOp::gt, ScalarKind::integer},          {"sge", ExprOp::ge, ScalarKind::integer},
    {"slt", ExprOp::lt, ScalarKind::integer},          {"sle", ExprOp::le, ScalarKind::integer},
};

template <std::size_t N>
const Row& row_of(const Row (&rows)[N], std::string_view word) {
  const auto* const found = std::ranges::find(rows, word, &Row::word);
  if (found != std::end(rows)) return *found;
  throw Error(ErrorCode::unsupported, "'" + shown_word(word) + "' is not supported here");
}

void check(const Value& a, const Value& b, Type::Kind wanted) {
  if (a.type != b.type || a.type.kind != wanted)
    throw Error(ErrorCode::semantic_error, "the operands have other types than the instruction's");
}

/// The number read with a sign; i1 with a sign is 0 or -1.
ExprId with_sign(ExprPool& pool, const Value& value) {
  if (value.type.width > 1) return pool.cast(value.expr, {ScalarKind::integer, value.type.width});
  return pool.unary(ExprOp::neg, pool.cast(value.expr, {ScalarKind::integer, 64}));
}
ExprId operand(ExprPool& pool, const Value& value, ScalarKind reads) {
  return reads == ScalarKind::integer ? with_sign(pool, value) : value.expr;
}

Value made(Type type, ExprId expr) {
  return {.type = type, .expr = expr};
}

}  // namespace

ScalarType scalar_type(Type type) {
  if (type.kind == Type::real) return {ScalarKind::real, 64};
  return type.width == 1 ? kBoolean : ScalarType{ScalarKind::unsigned_integer, type.width};
}

Value arithmetic(ExprPool& pool, std::string_view word, const Value& a, const Value& b) {
  const bool is_boolean = a.type == Type{Type::integer, 1};
  const Row& row = is_boolean ? row_of(kBooleans, word) : row_of(kArithmetic, word);
  check(a, b, row.reads == ScalarKind::real ? Type::real : Type::integer);
  const ExprId left = operand(pool, a, row.reads);
  // The count of a shift has no sign.
  const bool is_shift = row.op == ExprOp::shl || row.op == ExprOp::shr;
  const ExprId right = is_shift ? b.expr : operand(pool, b, row.reads);
  return made(a.type, pool.cast(pool.binary(row.op, left, right), scalar_type(a.type)));
}

Value compare(ExprPool& pool, std::string_view word, const Value& a, const Value& b) {
  const Row& row = row_of(kComparisons, word);
  check(a, b, Type::integer);
  ExprId left = operand(pool, a, row.reads), right = operand(pool, b, row.reads);
  if (a.type.width == 1 && row.reads != ScalarKind::integer && row.op != ExprOp::eq && row.op != ExprOp::ne) {
    left = pool.cast(left, {ScalarKind::unsigned_integer, 1});
    right = pool.cast(right, {ScalarKind::unsigned_integer, 1});
  }
  return made({Type::integer, 1}, pool.cast(pool.binary(row.op, left, right), kBoolean));
}

Value compare_reals(ExprPool& pool, std::string_view word, const Value& a, const Value& b) {
  check(a, b, Type::real);
  if (word == "ord" || word == "true") return made({Type::integer, 1}, pool.constant(Scalar::of(true)));
  if (word == "uno" || word == "false") return made({Type::integer, 1}, pool.constant(Scalar::of(false)));
  if (word.size() != 3 || (word[0] != 'o' && word[0] != 'u')) (void)row_of(kComparisons, word);
  const std::string_view plain = word.substr(1);
  const Row& row = row_of(kComparisons, plain == "eq" || plain == "ne" ? plain : "s" + std::string(plain));
  return made({Type::integer, 1}, pool.cast(pool.binary(row.op, a.expr, b.expr), kBoolean));
}

Value cast(ExprPool& pool, std::string_view word, const Value& value, Type to) {
  const auto check_types = [&](Type::Kind from, Type::Kind into) {
    if (value.type.kind != from || to.kind != into)
      throw Error(ErrorCode::semantic_error, "a conversion between other types than the instruction's");
  };
  if (word == "inttoptr") {
    check_types(Type::integer, Type::pointer);
    if (!pool.is_constant(value.expr))
      throw Error(ErrorCode::unsupported, "which qubit or result is meant is decided by a measurement", {},
                  "branch on it and name them in each branch");
    return {.type = to, .pointer = static_cast<std::uint64_t>(pool[value.expr].value.as_integer())};
  }
  if (word == "bitcast") {
    check_types(Type::pointer, Type::pointer);
    return value;
  }
  const ScalarType target = scalar_type(to);
  if (word == "zext" || word == "trunc") {
    check_types(Type::integer, Type::integer);
    if (to.width > 1) return made(to, pool.cast(value.expr, target));
    const ExprId one = pool.constant(Scalar::of(std::int64_t{1}, scalar_type(value.type)));
    if (value.type.width == 1) return made(to, value.expr);
    return made(to, pool.cast(pool.binary(ExprOp::bit_and, value.expr, one), kBoolean));
  }
  if (word == "sext") {
    check_types(Type::integer, Type::integer);
    return made(to, pool.cast(pool.cast(with_sign(pool, value), {ScalarKind::integer, to.width}), target));
  }
  if (word == "sitofp" || word == "uitofp") {
    check_types(Type::integer, Type::real);
    return made(to, pool.cast(word == "sitofp" ? with_sign(pool, value) : value.expr, target));
  }
  if (word == "fptosi" || word == "fptoui") {
    check_types(Type::real, Type::integer);
    return made(to, pool.cast(pool.cast(value.expr, {ScalarKind::integer, 64}), target));
  }
  throw Error(ErrorCode::unsupported, "'" + shown_word(word) + "' is not supported here");
}

}  // namespace skerry::frontend::qir
