#include "sim/tensor_network/tree.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace skerry::sim {

std::vector<Index> joined(std::span<const Index> a, std::span<const Index> b) {
  std::vector<Index> out;
  out.reserve(a.size() + b.size());
  std::ranges::set_union(a, b, std::back_inserter(out));
  return out;
}

Tree make_tree(const Network& network, const Merges& merges) {
  Tree tree{.nodes = {}, .leaves = network.leaves.size()};
  std::vector<std::uint32_t> holders(network.indices);  // tensors that have an index, of those not yet contracted
  for (const auto& axes : network.leaves) {
    tree.nodes.push_back({kNoNode, kNoNode, axes});
    std::ranges::sort(tree.nodes.back().indices);
    for (const Index index : axes) ++holders[index];
  }
  for (const auto& [left, right] : merges) {
    const auto &a = tree.nodes[left].indices, &b = tree.nodes[right].indices;
    std::vector<Index> both;
    std::ranges::set_intersection(a, b, std::back_inserter(both));
    for (const Index index : both) --holders[index];
    std::vector<Index> out = joined(a, b);
    std::erase_if(out, [&](Index index) { return holders[index] == 1 && std::ranges::binary_search(both, index); });
    tree.nodes.push_back({left, right, std::move(out)});
  }
  return tree;
}

std::vector<bool> varying(const Tree& tree, std::span<const Index> sliced) {
  std::vector<bool> out(tree.nodes.size());
  for (NodeId node = 0; node < tree.nodes.size(); ++node) {
    const Tree::Node& here = tree.nodes[node];
    out[node] = tree.is_leaf(node)
                    ? std::ranges::any_of(here.indices, [&](Index i) { return std::ranges::binary_search(sliced, i); })
                    : out[here.left] || out[here.right];
  }
  return out;
}

TreeCost cost_of(const Tree& tree, std::span<const Index> sliced) {
  const std::vector<bool> varies = varying(tree, sliced);
  const auto width = [&](std::span<const Index> indices) {
    std::size_t count = 0;
    for (const Index index : indices) count += std::ranges::binary_search(sliced, index) ? 0U : 1U;
    return static_cast<int>(count);
  };
  const double slices = std::ldexp(1.0, static_cast<int>(sliced.size()));
  TreeCost out;
  for (auto node = static_cast<NodeId>(tree.leaves); node < tree.nodes.size(); ++node) {
    const Tree::Node& here = tree.nodes[node];
    const auto &a = tree.nodes[here.left].indices, &b = tree.nodes[here.right].indices;
    const double times = varies[node] ? slices : 1.0, written = std::ldexp(1.0, width(here.indices));
    out.multiplications += times * std::ldexp(1.0, width(joined(a, b)));
    out.moved += times * written;
    out.largest = std::max(out.largest, written + std::ldexp(1.0, width(a)) + std::ldexp(1.0, width(b)));
  }
  return out;
}

}  // namespace skerry::sim
