/// \file
/// Classical expressions of a circuit: angles over symbolic parameters, and conditions over bits and variables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace skerry {

/// Kind of a classical value. Arithmetic follows OpenQASM 3: integers wrap at their width, angles are radians modulo 2
/// pi.
enum class ScalarKind : std::uint8_t { boolean, integer, unsigned_integer, real, angle };

/// A classical type: kind and width in bits (1 for boolean, 64 for real).
struct ScalarType {
  ScalarKind kind = ScalarKind::real;
  std::uint8_t width = 64;
  bool operator==(const ScalarType&) const = default;
};

/// A classical value: `integer` is meant for boolean, integer and unsigned_integer, `real` for real and angle.
struct Scalar {
  ScalarType type;
  union {
    double real = 0.0;
    std::int64_t integer;
  };
  static Scalar of(double value) {
    Scalar s;
    s.real = value;
    return s;
  }
  static Scalar of(std::int64_t value, ScalarType type = {ScalarKind::integer, 64});
  static Scalar of(bool value) { return of(std::int64_t{value}, {ScalarKind::boolean, 1}); }
  /// Numeric value as a double (unsigned values are read as unsigned).
  double as_real() const;
  /// Numeric value as an integer, reals truncated toward zero and saturated.
  std::int64_t as_integer() const;
  bool as_bool() const { return type.kind >= ScalarKind::real ? real != 0.0 : integer != 0; }
  /// The value converted to another type: wrapped to its width, angles reduced to [0, 2 pi).
  Scalar cast(ScalarType to) const;
};

/// Operations of an expression. Rows (name, operand count) in `include/skerry/expressions.def`.
enum class ExprOp : std::uint8_t {
#define SKERRY_EXPR(name, operands) name,
#include <skerry/expressions.def>
#undef SKERRY_EXPR
};

/// Index of an expression in its circuit's pool.
using ExprId = std::uint32_t;
inline constexpr ExprId kNoExpr = 0xffffffffU;

/// One node. Operands are smaller ids, so a pool is in topological order and evaluates in one forward walk.
/// Leaves: constant -> value; parameter, variable, bit -> a; bits -> a (first), b (count), read as an unsigned integer
/// with bit a least significant; element -> variables[a + value of operand b], c = length.
struct ExprNode {
  ExprOp op = ExprOp::constant;
  std::uint32_t a = 0, b = 0, c = 0;
  Scalar value;     ///< of a constant
  ScalarType type;  ///< of the result
};

/// Where leaves get their values.
struct ExprEnvironment {
  std::span<const Scalar> parameters;
  std::span<const Scalar> variables;
  std::span<const std::uint8_t> bits;  ///< one byte a bit
};

/// Hash-consed expression nodes: equal expressions have equal ids, constants are folded as they are made, so that
/// substituting gate parameters through any depth of definitions stays linear.
class ExprPool {
 public:
  ExprId constant(Scalar value);
  ExprId constant(double value) { return constant(Scalar::of(value)); }
  /// The type of bit and bits leaves is fixed by what they read: `type` is not looked at (boolean; unsigned of `b`
  /// bits).
  ExprId leaf(ExprOp op, std::uint32_t a, ScalarType type, std::uint32_t b = 0, std::uint32_t c = 0);
  /// Errors: semantic_error for an operation its operand types do not have, division by zero of constants, and
  /// constants that are not finite.
  ExprId unary(ExprOp op, ExprId operand);
  ExprId binary(ExprOp op, ExprId lhs, ExprId rhs);
  ExprId cast(ExprId operand, ScalarType to);

  const ExprNode& operator[](ExprId id) const { return nodes_[id]; }
  std::size_t size() const noexcept { return nodes_.size(); }
  bool is_constant(ExprId id) const { return nodes_[id].op == ExprOp::constant; }
  /// True when the value depends on nothing but constants and parameters.
  bool is_static(ExprId id) const { return static_[id] != 0; }

  /// Value of one expression; visits each node it needs once. Errors: semantic_error for a division by zero or a result
  /// that is not finite, out_of_range for an element index.
  Scalar evaluate(ExprId id, const ExprEnvironment& environment) const;

  bool operator==(const ExprPool& other) const;

 private:
  ExprId intern(const ExprNode& node, bool is_static);

  std::vector<ExprNode> nodes_;
  std::vector<std::uint8_t> static_;
  std::vector<ExprId> index_;  ///< open-addressed by a node's hash, a power of two, at most half full
};

}  // namespace skerry
