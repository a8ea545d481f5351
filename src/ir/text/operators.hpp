/// \file
/// Operators and functions of expressions: one table that printer and parser share.
#pragma once

#include <array>
#include <skerry/expression.hpp>
#include <string_view>

namespace skerry::ir {

/// An operation spelled with a symbol between its operands; higher levels bind tighter.
struct InfixOperator {
  std::string_view symbol;
  ExprOp op;
  int level;
};
inline constexpr std::array kInfixOperators = {
    InfixOperator{"||", ExprOp::logical_or, 1}, InfixOperator{"&&", ExprOp::logical_and, 2},
    InfixOperator{"|", ExprOp::bit_or, 3},      InfixOperator{"^", ExprOp::bit_xor, 4},
    InfixOperator{"&", ExprOp::bit_and, 5},     InfixOperator{"==", ExprOp::eq, 6},
    InfixOperator{"!=", ExprOp::ne, 6},         InfixOperator{"<", ExprOp::lt, 7},
    InfixOperator{"<=", ExprOp::le, 7},         InfixOperator{">", ExprOp::gt, 7},
    InfixOperator{">=", ExprOp::ge, 7},         InfixOperator{"<<", ExprOp::shl, 8},
    InfixOperator{">>", ExprOp::shr, 8},        InfixOperator{"+", ExprOp::add, 9},
    InfixOperator{"-", ExprOp::sub, 9},         InfixOperator{"*", ExprOp::mul, 10},
    InfixOperator{"/", ExprOp::div, 10},        InfixOperator{"%", ExprOp::mod, 10},
};
inline constexpr int kPrefixLevel = 11;
/// `**`: tighter than a sign on its left, to the right: -a ** b ** c is -(a ** (b ** c)).
inline constexpr int kPowerLevel = 12;
inline constexpr int kAtomLevel = 13;

struct PrefixOperator {
  std::string_view symbol;
  ExprOp op;
};
inline constexpr std::array kPrefixOperators = {
    PrefixOperator{"-", ExprOp::neg},
    PrefixOperator{"!", ExprOp::logical_not},
    PrefixOperator{"~", ExprOp::bit_not},
};

}  // namespace skerry::ir
