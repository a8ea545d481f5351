/// \file
/// Reads devices: coupling map, basis, durations and errors as JSON.
#pragma once

#include <skerry/target.hpp>
#include <string_view>

namespace skerry::frontend {

/// The form is told in skerry.hpp, read_target(). Errors: syntax_error, semantic_error, out_of_range, limit_exceeded.
Target read_target(std::string_view json);

}  // namespace skerry::frontend
