/// \file
/// Blackbird's statements, carried out as they are read: what comes out is a straight circuit over modes.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/limits.hpp>
#include <string>
#include <string_view>

#include "frontend/blackbird/gates.hpp"

namespace skerry::frontend::blackbird {

/// The circuit of a program. Errors: syntax_error, semantic_error, unsupported, limit_exceeded, out_of_range, whose
/// `where` is name:line:column.
Circuit parse(std::string_view text, const ImportLimits& limits, const std::string& name);

/// One expression; a name that is no function or constant is a free parameter. Errors: as parse(), with `where` empty.
Value parse_expression(std::string_view text, ModeWriter& writer, const ImportLimits& limits);

}  // namespace skerry::frontend::blackbird
