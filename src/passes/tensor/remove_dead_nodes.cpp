#include <algorithm>
#include <vector>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

Graph remove_dead_nodes(const Graph& graph) {
  std::vector<std::uint8_t> needed(graph.values().size(), 0);
  for (const ValueId id : graph.outputs()) needed[id] = 1;
  std::vector<std::uint8_t> dead(graph.nodes().size(), 0);
  for (std::size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    dead[i] = std::ranges::none_of(node.outputs, [&](ValueId id) { return id != kNoValue && needed[id] != 0; });
    if (dead[i] != 0) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[id] = 1;
    }
  }
  Graph output = graph;
  output.compact(dead);
  return output;
}

}  // namespace

extern const GraphPass remove_dead_nodes_pass;
const GraphPass remove_dead_nodes_pass = {
    .name = "remove_dead_nodes",
    .help = "Removes nodes whose results nobody uses, and constants with them.",
    .run = remove_dead_nodes,
};

}  // namespace skerry::passes
