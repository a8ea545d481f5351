/// \file
/// Sums and multiples of gate parameters, which are numbers or expressions of a circuit's pool.
#pragma once

#include <skerry/circuit.hpp>

namespace skerry::passes::native {

/// The parameter as an expression over the reals: values of type angle wrap at 2 pi, half of them must not.
inline ExprId real_expression(ExprPool& pool, const Param& p) {
  if (p.is_constant()) return pool.constant(p.value);
  return pool[p.expr].type.kind == ScalarKind::real ? p.expr : pool.cast(p.expr, ScalarType{});
}

/// factor * base + offset; base is kNoExpr for a number.
struct LinearAngle {
  double factor = 0, offset = 0;
  ExprId base = kNoExpr;
};

inline LinearAngle linear_angle(ExprPool& pool, const Param& p) {
  if (p.is_constant()) return {0, p.value, kNoExpr};
  LinearAngle out{1, 0, real_expression(pool, p)};
  const auto number = [&](ExprId id) { return pool[id].op == ExprOp::constant ? &pool[id].value : nullptr; };
  while (true) {
    const ExprNode node = pool[out.base];
    if (node.type.kind != ScalarKind::real || (node.op != ExprOp::mul && node.op != ExprOp::add)) return out;
    const Scalar* const left = number(node.a);
    const Scalar* const right = number(node.b);
    if ((left == nullptr) == (right == nullptr)) return out;
    const double value = (left != nullptr ? left : right)->as_real();
    if (node.op == ExprOp::mul) {
      out.factor *= value;
    } else {
      out.offset += out.factor * value;
    }
    out.base = real_expression(pool, {0, left != nullptr ? node.b : node.a});
  }
}

inline LinearAngle scaled_by(LinearAngle angle, double factor) {
  return {angle.factor * factor, angle.offset * factor, angle.base};
}

inline Param angle_of(ExprPool& pool, const LinearAngle& angle) {
  if (angle.base == kNoExpr || angle.factor == 0) return {angle.offset};
  ExprId id = angle.base;
  if (angle.factor != 1) id = pool.binary(ExprOp::mul, pool.constant(angle.factor), id);
  if (angle.offset != 0) id = pool.binary(ExprOp::add, id, pool.constant(angle.offset));
  return {0.0, id};
}

inline Param scaled(ExprPool& pool, const Param& angle, double factor) {
  if (angle.is_constant()) return {angle.value * factor};
  if (factor == 1.0) return {0.0, real_expression(pool, angle)};
  return angle_of(pool, scaled_by(linear_angle(pool, angle), factor));
}

/// The sum; what is made of the same symbols is taken together, so that theta - theta is 0.
inline Param sum(ExprPool& pool, const Param& a, const Param& b) {
  if (a.is_constant() && b.is_constant()) return {a.value + b.value};
  if (a.is_constant() && a.value == 0) return b;
  if (b.is_constant() && b.value == 0) return a;
  const LinearAngle left = linear_angle(pool, a), right = linear_angle(pool, b);
  if (left.base == kNoExpr || right.base == kNoExpr || left.base == right.base) {
    return angle_of(
        pool, {left.factor + right.factor, left.offset + right.offset, left.base == kNoExpr ? right.base : left.base});
  }
  return {0.0, pool.binary(ExprOp::add, real_expression(pool, a), real_expression(pool, b))};
}

}  // namespace skerry::passes::native
