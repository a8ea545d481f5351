/// \file
/// What a session and a profile share: inputs by name put in order, and steps timed.
#pragma once

#include <skerry/session.hpp>
#include <span>
#include <vector>

#include "exec/executor.hpp"

namespace skerry::runtime {

/// The views in the graph's order. Errors: invalid_argument for a name that is missing, unknown or there twice.
std::vector<TensorView> in_order(const Graph& graph, const NamedTensors& inputs);

/// Medians over so many runs after one that warms up. Errors: those of Session::profile.
std::vector<StepTime> step_times(exec::GraphExecutor& executor, std::span<const TensorView> views,
                                 const RunControl& control, std::size_t runs);

}  // namespace skerry::runtime
