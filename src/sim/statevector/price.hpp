/// \file
/// The amount of each kind of work in a run, for the planner to price.
#pragma once

#include <vector>

#include "kernels/rates.hpp"
#include "sim/statevector/request.hpp"

namespace skerry::sim {

/// Work of Walk::run. Loops and the number of trajectories are guesses: what they depend on is drawn at run time.
std::vector<kernels::Work> price(const Request& request);

}  // namespace skerry::sim
