/// \file
/// Where each value of a specialised graph lives: inputs and constants stay, outputs get their own buffers, and
/// everything between shares one arena.
#pragma once

#include <cstdint>
#include <skerry/graph.hpp>
#include <vector>

#include "plan/planner.hpp"

namespace skerry::planning {

struct MemoryLayout {
  std::vector<Placement> placements;  ///< by ValueId
  std::vector<OutputCopy> copies;
  std::uint64_t arena_bytes = 0;
  std::uint64_t output_bytes = 0;
};

/// Errors: budget_exceeded where the values of a graph, as far as their shapes are known, take more than 2^60 bytes
/// together; where: the node of the one that is too much.
void check_sizes(const Graph& graph);

/// Errors: those of check_sizes. Precondition: every value that is used has a static shape. View operators share their
/// input's bytes; an operator that may work in place does so when its input is needed by nobody else afterwards.
/// threads: of the runs.
MemoryLayout lay_out_memory(const Graph& graph, int threads);

}  // namespace skerry::planning
