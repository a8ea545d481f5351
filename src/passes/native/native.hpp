/// \file
/// Compiling a circuit for a device: which passes over the working form run at which level, in order.
#pragma once

#include <skerry/compile.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace skerry::passes::native {

/// Passes of the device compiler, for listings.
std::span<const PassInfo> device_passes();
/// Names of those of a level, in order.
std::vector<std::string_view> device_pipeline(Level level);

/// Precondition: options.target. The result's gates are legal on the target; it is not verified again.
Compiled compile_for_target(const Circuit& circuit, const CompileOptions& options);

}  // namespace skerry::passes::native
