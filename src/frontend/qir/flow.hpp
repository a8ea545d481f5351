/// \file
/// Where the ways that part at a branch meet again, and which lead back.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/qir/module.hpp"

namespace skerry::frontend::qir {

/// For each block the block through which every way from it to the function's end goes first (its immediate
/// postdominator); blocks.size() is the end itself, also for blocks that never reach it.
/// Errors: limit_exceeded, without a place, when that takes more than `max_steps`: only for ways that cross without
/// order. Source: Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001), on the reversed graph.
std::vector<std::uint32_t> meeting_places(const Function& function, std::uint64_t max_steps);

struct Edge {
  std::uint32_t from = 0, to = 0;
  bool operator==(const Edge&) const = default;
};

/// The branches that lead back to a block on their own way, sorted; their targets are the heads of loops.
std::vector<Edge> back_edges(const Function& function);

}  // namespace skerry::frontend::qir
