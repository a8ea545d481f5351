/// \file
/// A layout in which every pair of a program lies on an edge, if there is one that is found quickly.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "passes/native/route.hpp"
#include "passes/native/route_graph.hpp"

namespace skerry::passes::native {

/// Device wire of each of `wires` program wires. Gives up after `steps` trials. Source: backtracking over connected
/// wires, most neighbours first, as VF2 (Cordella et al. 2004) orders them.
std::optional<std::vector<Wire>> place_all(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling,
                                           std::size_t steps);

/// Calls `visit` with such layouts, those that begin at each device wire one after the other, `steps` trials for each.
void visit_placements(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling, std::size_t steps,
                      const std::function<void(const std::vector<Wire>&)>& visit);

}  // namespace skerry::passes::native
