#include "frontend/openqasm/value.hpp"

#include <cmath>
#include <skerry/error.hpp>

#include "ir/circuit/arithmetic.hpp"

namespace skerry::frontend::openqasm {
namespace {

// Sums and products of plain numbers, by far the most frequent; false when the general way has to decide.
bool fold_reals(ExprOp op, const Value& a, const Value& b, double& result) {
  if (a.type.kind != ScalarKind::real || b.type.kind != ScalarKind::real) return false;
  const double x = a.constant.real;
  const double y = b.constant.real;
  if (op == ExprOp::add)
    result = x + y;
  else if (op == ExprOp::sub)
    result = x - y;
  else if (op == ExprOp::mul)
    result = x * y;
  else if (op == ExprOp::div && y != 0)
    result = x / y;
  else
    return false;
  return std::isfinite(result);
}

void check_finite(const Scalar& value) {
  if (value.type.kind >= ScalarKind::real && !std::isfinite(value.real))
    throw Error(ErrorCode::semantic_error, "the result is not a finite number");
}

// A duration and a number make a duration by + - * /, a ratio of durations is a number.
bool makes_duration(ExprOp op, const Value& a, const Value& b) {
  if (op == ExprOp::add || op == ExprOp::sub || op == ExprOp::mul) return a.is_duration || b.is_duration;
  return op == ExprOp::div && a.is_duration && !b.is_duration;
}

}  // namespace

ExprId node(ExprPool& pool, const Value& a) {
  return a.is_constant() ? pool.constant(a.constant) : a.expr;
}

Value unary(ExprPool& pool, ExprOp op, const Value& a) {
  if (a.is_constant()) {
    const Scalar folded = ir::apply(op, ir::result_type(op, a.type, {}), a.constant, {});
    check_finite(folded);
    Value made = Value::of(folded);
    made.is_duration = a.is_duration && op == ExprOp::neg;
    return made;
  }
  const ExprId id = pool.unary(op, a.expr);
  return {{}, id, pool[id].type, a.is_duration && op == ExprOp::neg};
}

Value binary(ExprPool& pool, ExprOp op, const Value& a, const Value& b) {
  Value made;
  double folded = 0;
  const bool both_known = a.is_constant() && b.is_constant();
  if (both_known && fold_reals(op, a, b, folded)) {
    made = Value::of(folded);
  } else if (both_known) {
    // As ExprPool::binary types it: a negative whole exponent that is known makes the power real.
    Value exponent = b;
    if (op == ExprOp::pow && b.type.kind == ScalarKind::integer && b.constant.integer < 0)
      exponent = Value::of(b.constant.as_real());
    const Scalar result = ir::apply(op, ir::result_type(op, a.type, exponent.type), a.constant, exponent.constant);
    check_finite(result);
    made = Value::of(result);
  } else {
    const ExprId left = node(pool, a);
    made.expr = pool.binary(op, left, node(pool, b));
    made.type = pool[made.expr].type;
  }
  made.is_duration = makes_duration(op, a, b);
  return made;
}

Value cast(ExprPool& pool, const Value& a, ScalarType to) {
  if (a.type == to) return a;
  if (a.is_constant()) return Value::of(a.constant.cast(to));
  const ExprId id = pool.cast(a.expr, to);
  return {{}, id, to, false};
}

}  // namespace skerry::frontend::openqasm
