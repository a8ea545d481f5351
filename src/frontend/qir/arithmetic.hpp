/// \file
/// What LLVM's instructions on numbers mean as expressions of a circuit.
#pragma once

#include <skerry/expression.hpp>
#include <string_view>

#include "frontend/qir/module.hpp"

namespace skerry::frontend::qir {

/// A value while a module is run: a number is an expression (constants are folded by the pool), a pointer the number of
/// a qubit or result, or a global.
struct Value {
  Type type;
  ExprId expr = kNoExpr;
  std::uint64_t pointer = 0;
  std::string_view global{};  ///< with it `pointer` is the number of its element
  bool is_set() const { return type.kind != Type::nothing; }
};

/// How a number is held: i1 as a boolean, other integers without sign, so that equal bits are equal numbers.
ScalarType scalar_type(Type type);

/// Errors of all: semantic_error for operands of other types than the instruction's, unsupported for words that are not
/// of the adaptive profile, and what the pool says, all without a place.
Value arithmetic(ExprPool& pool, std::string_view word, const Value& a, const Value& b);
/// icmp.
Value compare(ExprPool& pool, std::string_view word, const Value& a, const Value& b);
/// fcmp; ordered and unordered are one, as no number here is a NaN.
Value compare_reals(ExprPool& pool, std::string_view word, const Value& a, const Value& b);
Value cast(ExprPool& pool, std::string_view word, const Value& value, Type to);

}  // namespace skerry::frontend::qir
