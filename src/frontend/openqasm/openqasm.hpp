/// \file
/// OpenQASM 2 and 3 to a Circuit.
#pragma once

#include "frontend/frontend.hpp"

namespace skerry::frontend {

/// True when the first word, after comments, is one that an OpenQASM program starts with.
bool sniff_openqasm(const Source& source);
/// Errors: syntax_error, semantic_error, out_of_range, unsupported, limit_exceeded, not_found and permission_denied (of
/// includes), each with name:line:column.
Imported import_openqasm(const Source& source, const ImportLimits& limits);

}  // namespace skerry::frontend
