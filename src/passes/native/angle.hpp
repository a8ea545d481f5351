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

inline Param scaled(ExprPool& pool, const Param& angle, double factor) {
  if (angle.is_constant()) return {angle.value * factor};
  if (factor == 1.0) return {0.0, real_expression(pool, angle)};
  return {0.0, pool.binary(ExprOp::mul, pool.constant(factor), real_expression(pool, angle))};
}

inline Param sum(ExprPool& pool, const Param& a, const Param& b) {
  if (a.is_constant() && b.is_constant()) return {a.value + b.value};
  if (a.is_constant() && a.value == 0) return b;
  if (b.is_constant() && b.value == 0) return a;
  return {0.0, pool.binary(ExprOp::add, real_expression(pool, a), real_expression(pool, b))};
}

}  // namespace skerry::passes::native
