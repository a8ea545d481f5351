/// \file
/// Which channels of a graph stand and fall together, and the weights that hold them.
#pragma once

#include <cstdint>
#include <skerry/graph.hpp>
#include <vector>

namespace skerry::passes::quant {

/// Along `axis` of constant `value`, channel c stands at begin + [c * repeat, (c + 1) * repeat).
struct ChannelPlace {
  ValueId value;
  std::int64_t axis, repeat, begin;
};

/// Channels that leave together.
struct ChannelGroup {
  std::int64_t channels = 0;
  std::vector<ChannelPlace> places;
  std::vector<NodeId> makers;     ///< layers whose outputs they are: by their weights is judged who leaves
  std::vector<NodeId> depthwise;  ///< convolutions whose attribute `group` is their number
  std::vector<NodeId> reshapes;   ///< whose constant extents say how many numbers there are; made -1
};

/// The groups that may lose channels: a dependency graph (Fang et al., CVPR 2023) by union and find over the channel
/// axis of each value. `graph` has types. What reaches a graph input or output, or an operator that is not understood,
/// is in none.
std::vector<ChannelGroup> channel_groups(const Graph& graph);

}  // namespace skerry::passes::quant
