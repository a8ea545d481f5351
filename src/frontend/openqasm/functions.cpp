#include "frontend/openqasm/functions.hpp"

#include <algorithm>
#include <array>
#include <numbers>

namespace skerry::frontend::openqasm {
namespace {

constexpr std::array kFunctions = {Function{"sin", 1, ExprOp::sin},         Function{"cos", 1, ExprOp::cos},
                                   Function{"tan", 1, ExprOp::tan},         Function{"arcsin", 1, ExprOp::asin},
                                   Function{"arccos", 1, ExprOp::acos},     Function{"arctan", 1, ExprOp::atan},
                                   Function{"asin", 1, ExprOp::asin},       Function{"acos", 1, ExprOp::acos},
                                   Function{"atan", 1, ExprOp::atan},       Function{"exp", 1, ExprOp::exp},
                                   Function{"ln", 1, ExprOp::ln},           Function{"log", 1, ExprOp::ln},
                                   Function{"sqrt", 1, ExprOp::sqrt},       Function{"floor", 1, ExprOp::floor},
                                   Function{"ceiling", 1, ExprOp::ceiling}, Function{"popcount", 1, ExprOp::popcount},
                                   Function{"mod", 2, ExprOp::mod},         Function{"pow", 2, ExprOp::pow},
                                   Function{"rotl", 2, ExprOp::rotl},       Function{"rotr", 2, ExprOp::rotr}};

}  // namespace

std::span<const Function> functions() {
  return kFunctions;
}

const Function* find_function(std::string_view name) {
  const auto* found =
      std::find_if(kFunctions.begin(), kFunctions.end(), [name](const Function& f) { return f.name == name; });
  return found == kFunctions.end() ? nullptr : found;
}

std::optional<double> built_in_constant(std::string_view name) {
  if (name == "pi" || name == "\xCF\x80") return std::numbers::pi;
  if (name == "tau" || name == "\xCF\x84") return 2 * std::numbers::pi;
  if (name == "euler" || name == "\xE2\x84\x87") return std::numbers::e;
  return std::nullopt;
}

}  // namespace skerry::frontend::openqasm
