/// \file
/// In which order the tensors of a network are contracted, two by two, and what that costs.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/tensor_network/network.hpp"

namespace skerry::sim {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xffffffffU;

/// A binary tree over the leaves of a network. Nodes 0 … leaves - 1 are the leaves, the others come after their
/// children, the root is the last.
struct Tree {
  struct Node {
    NodeId left = kNoNode, right = kNoNode;
    std::vector<Index> indices;  ///< that its tensor has, ascending
  };
  std::vector<Node> nodes;
  std::size_t leaves = 0;

  NodeId root() const noexcept { return static_cast<NodeId>(nodes.size() - 1); }
  bool is_leaf(NodeId node) const noexcept { return node < leaves; }
};

/// Pairs of nodes in the order of their contraction; the i-th makes node leaves + i.
using Merges = std::vector<std::pair<NodeId, NodeId>>;

/// The tree that contracts in this order; indices that no other tensor has are summed as soon as that is so.
Tree make_tree(const Network& network, const Merges& merges);

/// Indices of a contraction: of both operands together, ascending.
std::vector<Index> joined(std::span<const Index> a, std::span<const Index> b);

/// Cost of the steps of a tree in multiply-adds, and the numbers that its largest step holds. What moves through
/// memory counts like so many multiply-adds, which is what paths are compared by.
struct TreeCost {
  double multiplications = 0.0;  ///< complex multiply-adds
  double moved = 0.0;            ///< complex numbers written
  double largest = 0.0;          ///< numbers in the operands and the result of one step
  double combined() const noexcept { return multiplications + kMove * moved; }
  static constexpr double kMove = 16.0;
};
/// sliced: indices (ascending) that are fixed one after another: what depends on them is done for each of their 2^k
/// values.
TreeCost cost_of(const Tree& tree, std::span<const Index> sliced);

/// Which nodes depend on a sliced index.
std::vector<bool> varying(const Tree& tree, std::span<const Index> sliced);

}  // namespace skerry::sim
