/// \file
/// One expression of OpenQASM 3 on its own, for formats that write angles as text.
#pragma once

#include <functional>
#include <skerry/limits.hpp>
#include <string_view>

#include "frontend/openqasm/value.hpp"

namespace skerry::frontend::openqasm {

/// `2*theta + pi/4` as a value; `name` gives the value of what is not a number, a function or a built-in constant.
/// Errors: syntax_error, semantic_error, limit_exceeded (past max_name_bytes), without a place.
Value read_angle(std::string_view text, ExprPool& pool, const ImportLimits& limits,
                 const std::function<Value(std::string_view)>& name);

}  // namespace skerry::frontend::openqasm
