/// \file
/// Models without the weights or channels that matter least.
#pragma once

#include <cstdint>
#include <skerry/graph.hpp>
#include <string>
#include <vector>

namespace skerry {

struct PruneOptions {
  double ratio = 0.5;         ///< of the weights, or of the channels of each layer; at least 0 and below 1
  bool structured = false;    ///< whole channels leave, wherever they are used; else single weights become zero
  bool global = true;         ///< single weights: one threshold for the model, else each layer loses its share
  std::int64_t multiple = 1;  ///< channels that are left are a multiple of this where there are as many
  std::vector<std::string>
      keep;  ///< names of nodes (of their output without one): layers that keep their weights, or their output channels
};

/// A layer of the result: weights that are not zero, or outputs, of how many.
struct PrunedLayer {
  std::string node, op;
  std::uint64_t left = 0, before = 0;
};

struct Pruned {
  Graph graph;
  std::vector<PrunedLayer> layers;
  std::uint64_t weight_bytes = 0, weight_bytes_before = 0;
};

/// Removes what matters least by magnitude. Channels that must go together (a residual's two sides, a depthwise
/// convolution's input and output) are found by following which dimension depends on which (Fang et al., CVPR 2023,
/// arXiv:2301.12900); where the way is not understood, or a graph input or output is reached, they stay.
/// Errors: invalid_argument (options, `keep` that no node has), unsupported (nothing to prune).
Pruned prune(const Graph& model, const PruneOptions& options);

}  // namespace skerry
