/// \file
/// What an edge execution asks of the spine.
#pragma once

#include <skerry/edge.hpp>

namespace skerry::edge {

/// The configured limits and the input's wishes. Without shots and observables the answer is the state.
RunOptions run_options(const EdgeExecutionConfig& config, const ExecutionInput& input);

}  // namespace skerry::edge
