/// \file
/// A classical value while a program is read: known now, or an expression that the running circuit evaluates.
#pragma once

#include <skerry/expression.hpp>

namespace skerry::frontend::openqasm {

struct Value {
  Scalar constant;        ///< when expr is kNoExpr
  ExprId expr = kNoExpr;  ///< of the pool that is being filled
  ScalarType type;
  bool is_duration = false;  ///< a real number of seconds

  bool is_constant() const { return expr == kNoExpr; }
  static Value of(const Scalar& value) { return {value, kNoExpr, value.type, false}; }
  static Value of(double value) { return of(Scalar::of(value)); }
  static Value of(std::int64_t value) { return of(Scalar::of(value)); }
  static Value of(bool value) { return of(Scalar::of(value)); }
};

inline constexpr ScalarType kReal{ScalarKind::real, 64};
inline constexpr ScalarType kInt{ScalarKind::integer, 64};
inline constexpr ScalarType kUint{ScalarKind::unsigned_integer, 64};
inline constexpr ScalarType kBool{ScalarKind::boolean, 1};

/// Arithmetic on values: constants are folded without touching the pool, so that a program of constant angles makes no
/// expressions at all. Errors: semantic_error, without a place.
Value unary(ExprPool& pool, ExprOp op, const Value& a);
Value binary(ExprPool& pool, ExprOp op, const Value& a, const Value& b);
Value cast(ExprPool& pool, const Value& a, ScalarType to);
/// The value as a node of the pool.
ExprId node(ExprPool& pool, const Value& a);

}  // namespace skerry::frontend::openqasm
