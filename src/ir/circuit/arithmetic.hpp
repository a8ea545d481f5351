/// \file
/// What each expression operation does to classical values: OpenQASM 3 types and arithmetic, one operation at a time.
#pragma once

#include <skerry/expression.hpp>
#include <string>
#include <string_view>

namespace skerry::ir {

/// Spelling of an operation (`add`, `sin`) and number of its operands, 0 for a leaf.
std::string_view expr_name(ExprOp op) noexcept;
int expr_operands(ExprOp op) noexcept;

/// `bool`, `int[32]`, `uint[8]`, `real`, `angle`; a width is left out where it is the usual one (1 and 64).
std::string type_text(ScalarType type);

/// True for bool, int and uint.
bool is_integral(ScalarType type) noexcept;
/// The type in which two numbers that are not angles meet: the promotion of result_type().
ScalarType common_type(ScalarType a, ScalarType b) noexcept;

/// Type of the result for operands of these types (`b` is ignored by unary operations). Promotion: bool < int < uint <
/// real at the larger width; an angle plus, minus, times or over a number is an angle, an angle over an angle a uint.
/// Errors: semantic_error for an operation the types do not have.
ScalarType result_type(ExprOp op, ScalarType a, ScalarType b);

/// The operation on values, as result_type() typed it. Integers wrap, angles are reduced to [0, 2 pi), both operands of
/// a logical operation are evaluated.
/// Errors: semantic_error for a division by zero, a negative shift, or a result that is not finite.
Scalar apply(ExprOp op, ScalarType result, const Scalar& a, const Scalar& b);

}  // namespace skerry::ir
