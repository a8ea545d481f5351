#include "passes/native/route_graph.hpp"

#include <algorithm>

#include "passes/native/kak.hpp"
#include "passes/native/pairs.hpp"

namespace skerry::passes::native {
namespace {

struct Collected {
  const Flat& flat;
  std::vector<RouteNode>& nodes;
  std::vector<std::uint32_t>& next;

  void single(std::uint32_t i) {
    const Gate& gate = flat.gates[i];
    nodes.push_back({.a = gate.a, .b = gate.a, .head = i});
  }
  void pair(const PairBlock& block, const PairWalk& walk) {
    const CxNeeds needs = walk.needs(block);
    nodes.push_back({.a = block.first,
                     .b = block.second,
                     .head = block.head,
                     .is_pair = true,
                     .plain = needs.plain,
                     .mirrored = needs.mirrored});
    for (std::uint32_t i = block.head; i != kNoGate; i = walk.next(i)) next[i] = walk.next(i);
  }
};

}  // namespace

RouteGraph::RouteGraph(const Flat& flat) : next_(flat.gates.size(), kNoGate) {
  Collected collected{flat, nodes_, next_};
  PairWalk(flat).run(collected);
  // Others share classical bits: the last entry is a wire on which they all stand.
  std::vector<std::uint32_t> newest(flat.wires + 1U, kNoGate);
  const auto meet = [&](Wire wire, std::uint32_t node) {
    if (newest[wire] != kNoGate) predecessors_.push_back(newest[wire]);
    newest[wire] = node;
  };
  predecessor_begin_.assign(1, 0);
  predecessor_begin_.reserve(nodes_.size() + 1);
  predecessors_.reserve(2 * nodes_.size());
  successor_begin_.assign(nodes_.size() + 1, 0);
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    const RouteNode& node = nodes_[i];
    const Gate& gate = flat.gates[node.head];
    if (node.is_pair) {
      meet(node.a, i);
      meet(node.b, i);
    } else if (gate.kind != Kind::other) {
      meet(node.a, i);
    } else {
      for (const Wire wire : flat.others[gate.index].wires) meet(wire, i);
      meet(flat.wires, i);
    }
    // One edge for each node before this one, in order.
    const auto begin = predecessors_.begin() + static_cast<std::ptrdiff_t>(predecessor_begin_.back());
    std::sort(begin, predecessors_.end());
    predecessors_.erase(std::unique(begin, predecessors_.end()), predecessors_.end());
    if (!predecessors_.empty() && predecessors_.back() == i) predecessors_.pop_back();
    for (std::size_t k = predecessor_begin_.back(); k < predecessors_.size(); ++k) {
      ++successor_begin_[predecessors_[k] + 1];
    }
    predecessor_begin_.push_back(static_cast<std::uint32_t>(predecessors_.size()));
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) successor_begin_[i + 1] += successor_begin_[i];
  successors_.resize(predecessors_.size());
  std::vector<std::uint32_t> at(successor_begin_.begin(), successor_begin_.end() - 1);
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    for (const std::uint32_t from : predecessors(i)) successors_[at[from]++] = i;
  }
}

}  // namespace skerry::passes::native
