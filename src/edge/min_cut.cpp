#include "edge/min_cut.hpp"

#include <algorithm>
#include <deque>

namespace skerry::edge {
namespace {

constexpr std::size_t kUnreached = static_cast<std::size_t>(-1);

}  // namespace

void MinCut::add(std::size_t from, std::size_t to, std::uint64_t capacity) {
  edges_of_[from].push_back(edges_.size());
  edges_.push_back({to, capacity});
  edges_of_[to].push_back(edges_.size());
  edges_.push_back({from, 0});
}

bool MinCut::layer(std::size_t source, std::size_t sink) {
  depth_.assign(edges_of_.size(), kUnreached);
  depth_[source] = 0;
  std::deque<std::size_t> open{source};
  while (!open.empty()) {
    const std::size_t at = open.front();
    open.pop_front();
    for (const std::size_t edge : edges_of_[at]) {
      if (edges_[edge].left == 0 || depth_[edges_[edge].to] != kUnreached) continue;
      depth_[edges_[edge].to] = depth_[at] + 1;
      open.push_back(edges_[edge].to);
    }
  }
  return depth_[sink] != kUnreached;
}

// One path along the layers, without recursion: graphs of models are deep.
std::uint64_t MinCut::augment(std::size_t source, std::size_t sink) {
  std::vector<std::size_t> path;
  std::size_t at = source;
  while (at != sink) {
    bool is_stuck = true;
    for (std::size_t& i = next_[at]; i < edges_of_[at].size(); ++i) {
      const std::size_t edge = edges_of_[at][i];
      if (edges_[edge].left == 0 || depth_[edges_[edge].to] != depth_[at] + 1) continue;
      path.push_back(edge);
      at = edges_[edge].to;
      is_stuck = false;
      break;
    }
    if (!is_stuck) continue;
    if (path.empty()) return 0;
    at = edges_[path.back() ^ 1].to;
    ++next_[at];
    path.pop_back();
  }
  std::uint64_t flow = kEndless;
  for (const std::size_t edge : path) flow = std::min(flow, edges_[edge].left);
  for (const std::size_t edge : path) {
    edges_[edge].left -= flow;
    edges_[edge ^ 1].left += flow;
  }
  return flow;
}

std::vector<bool> MinCut::nearest_to_sink(std::size_t source, std::size_t sink) {
  while (layer(source, sink)) {
    next_.assign(edges_of_.size(), 0);
    while (augment(source, sink) != 0) {
    }
  }
  // What cannot reach the sink any more is the source's: backwards along edges with room.
  std::vector<bool> reaches(edges_of_.size());
  reaches[sink] = true;
  std::deque<std::size_t> open{sink};
  while (!open.empty()) {
    const std::size_t at = open.front();
    open.pop_front();
    for (const std::size_t edge : edges_of_[at]) {
      const std::size_t from = edges_[edge].to;
      if (edges_[edge ^ 1].left == 0 || reaches[from]) continue;
      reaches[from] = true;
      open.push_back(from);
    }
  }
  reaches.flip();
  return reaches;
}

}  // namespace skerry::edge
