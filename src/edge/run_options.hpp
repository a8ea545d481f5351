/// \file
/// What an edge execution asks of the spine.
#pragma once

#include <skerry/edge.hpp>
#include <string>

namespace skerry::edge {

/// The configured limits and the input's wishes. Without shots and observables the answer is the state.
RunOptions run_options(const EdgeExecutionConfig& config, const ExecutionInput& input);
/// A text that is equal exactly when two executions must give equal results; empty when they need not.
std::string question_key(const CompiledCircuit& circuit, const ExecutionInput& input);

}  // namespace skerry::edge
