/// \file
/// What the CPU calls itself and which instructions it and the system allow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::base {

/// The vendor's name of the CPU; the architecture's name where there is none.
std::string cpu_model_name();

/// Names of the instruction sets that matter to kernels, as Machine::isa lists them.
std::vector<std::string_view> isa_names();

}  // namespace skerry::base
