/// \file
/// Models without the weights or channels that matter least.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/graph.hpp>
#include <string>
#include <vector>

namespace skerry {

struct PruneOptions {
  double ratio = 0.5;       ///< of the weights, or of the channels of each layer; at least 0 and below 1
  bool structured = false;  ///< whole channels leave, wherever they are used; else single weights become zero
  bool global = true;       ///< single weights: one threshold for the model, else each layer loses its share
  /// Whole channels: those leave whose importance is below this, where the mean of their group is 1; `ratio` says
  /// nothing then.
  std::optional<double> importance_threshold;
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

/// Channels that leave together or not at all.
struct ChannelDependency {
  std::int64_t channels = 0;
  std::vector<std::string> layers;     ///< whose outputs they are, by name (of their output without one)
  std::vector<std::string> depthwise;  ///< convolutions that follow them channel by channel
  std::vector<std::string> users;      ///< other layers that lose inputs with them
  std::vector<double> importance;      ///< of each channel, by squared magnitude, mean 1
};

/// The groups of channels that prune() may thin out. Errors: those of operators without types.
std::vector<ChannelDependency> channel_dependencies(const Graph& model);

}  // namespace skerry
