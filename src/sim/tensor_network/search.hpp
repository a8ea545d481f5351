/// \file
/// Looks for a cheap order of contraction, and for the indices to fix one after another where it needs too much room.
///
/// Tensors that a neighbour can take in without growing are taken in first. Of what remains, greedy orders with random
/// weights and temperature are tried, and one that walks along the wires; small subtrees of the best are replaced by
/// their best orders, found by dynamic programming, until nothing improves. Sources: Gray, Kourtis, Quantum 5 (2021)
/// 410, sections 4.2 to 4.4; slicing: Chen et al., arXiv:1805.01450; the greedy cost: Smith, Gray, JOSS 3 (2018) 753.
#pragma once

#include <cstdint>

#include "sim/tensor_network/tree.hpp"

namespace skerry::sim {

struct SearchLimits {
  double largest = 0.0;        ///< numbers that a step may hold
  double worth_more = 0.0;     ///< multiply-adds below which more search costs more than it saves
  double hopeless = 0.0;       ///< multiply-adds above which nobody will run it, so that nothing is refined
  std::uint32_t restarts = 1;  ///< most random orders that are tried
};

struct Path {
  Tree tree;
  std::vector<Index> sliced;  ///< ascending
  TreeCost cost;
  bool fits = true;  ///< false: no slicing that is worth trying makes a step as small as the limit
};

/// The same network gives the same path. Preconditions: at least one leaf; every index has two or more.
Path find_path(const Network& network, const SearchLimits& limits);

}  // namespace skerry::sim
