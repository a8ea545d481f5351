/// \file
/// Orders of contraction that take the best pair, again and again.
#pragma once

#include <cstdint>

#include "sim/tensor_network/tree.hpp"

namespace skerry::sim {

/// A pair is worth 2^axes of its result less `weight` times those of its operands; the logarithm of that is disturbed
/// by Gumbel noise of this temperature.
struct GreedyStyle {
  double weight = 1.0;
  double temperature = 0.0;
  std::uint64_t seed = 0;
  bool only_absorb = false;  ///< pairs whose result is no larger than the larger operand; others stay
};

Merges greedy_order(const Network& network, const GreedyStyle& style);
/// Takes in one tensor after the other along the wires: where these are a line, the bond across it stays small.
Merges sweeping_order(const Network& network);

}  // namespace skerry::sim
