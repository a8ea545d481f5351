/// \file
/// Run options and limits from Python's values.
#pragma once

#include <optional>
#include <string>

#include "bind.hpp"

namespace skerry::python {

/// precision: `single` (complex64) or `double` (complex128). Errors: invalid_argument.
Precision precision_from_name(std::string_view name);

/// max_memory_mb: 10^6 bytes. Errors: invalid_argument for a negative or non-finite number.
Limits limits_from(int threads, std::optional<double> max_memory_mb, std::optional<double> max_execution_time);

}  // namespace skerry::python
