/// \file
/// Runs a stabilizer circuit whose steps do not depend on outcomes: one reference run, then frames for all shots.
#pragma once

#include <skerry/circuit.hpp>

#include "sim/method.hpp"
#include "sim/stabilizer/request.hpp"

namespace skerry::sim {

/// The answers; a precondition is !request.branches. circuit: what the request was made of, for Interrupted. Errors:
/// those of Program::run.
CircuitResult run_straight(const Circuit& circuit, const StabilizerRequest& request, const Resources& resources);

}  // namespace skerry::sim
