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
    const CxNeeds needs = cx_needs(block.u);
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
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
  const auto meet = [&](Wire wire, std::uint32_t node) {
    if (newest[wire] != kNoGate && newest[wire] != node) edges.emplace_back(newest[wire], node);
    newest[wire] = node;
  };
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    const RouteNode& node = nodes_[i];
    const Gate& gate = flat.gates[node.head];
    if (node.is_pair || gate.kind != Kind::other) {
      meet(node.a, i);
      meet(node.b, i);
      continue;
    }
    for (const Wire wire : flat.others[gate.index].wires) meet(wire, i);
    meet(flat.wires, i);
  }
  std::ranges::sort(edges);
  edges.erase(std::ranges::unique(edges).begin(), edges.end());
  successor_begin_.assign(nodes_.size() + 1, 0);
  predecessor_begin_.assign(nodes_.size() + 1, 0);
  for (const auto& [from, to] : edges) {
    ++successor_begin_[from + 1];
    ++predecessor_begin_[to + 1];
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    successor_begin_[i + 1] += successor_begin_[i];
    predecessor_begin_[i + 1] += predecessor_begin_[i];
  }
  successors_.resize(edges.size());
  predecessors_.resize(edges.size());
  std::vector<std::uint32_t> at_successor(successor_begin_.begin(), successor_begin_.end() - 1);
  std::vector<std::uint32_t> at_predecessor(predecessor_begin_.begin(), predecessor_begin_.end() - 1);
  for (const auto& [from, to] : edges) {
    successors_[at_successor[from]++] = to;
    predecessors_[at_predecessor[to]++] = from;
  }
}

}  // namespace skerry::passes::native
