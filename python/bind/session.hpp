/// \file
/// Sessions, made from models.
#pragma once

#include <optional>
#include <string_view>

#include "model.hpp"

namespace skerry::python {

/// A Session. Errors: unsupported for a precision other than fp32; those of limits_from().
nb::object make_session(const Model& model, int threads, std::string_view precision,
                        std::optional<double> max_memory_mb, std::optional<double> max_execution_time,
                        std::uint64_t seed);

}  // namespace skerry::python
