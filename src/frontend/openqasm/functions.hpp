/// \file
/// Functions and constants that every expression knows.
#pragma once

#include <optional>
#include <skerry/expression.hpp>
#include <span>
#include <string_view>

namespace skerry::frontend::openqasm {

struct Function {
  std::string_view name;
  std::size_t arguments = 1;
  ExprOp op = ExprOp::constant;
};

std::span<const Function> functions();
/// nullptr when there is none of that name.
const Function* find_function(std::string_view name);
/// pi, tau, euler and their letters.
std::optional<double> built_in_constant(std::string_view name);

}  // namespace skerry::frontend::openqasm
