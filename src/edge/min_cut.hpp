/// \file
/// Minimum cuts of directed graphs with capacities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace skerry::edge {

/// Edges with capacities between numbered vertices.
class MinCut {
 public:
  static constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max() / 4;

  explicit MinCut(std::size_t vertices) : edges_of_(vertices) {}
  void add(std::size_t from, std::size_t to, std::uint64_t capacity);
  /// The source's side of the minimum cut that lies nearest to the sink, so that the source's side is as large as can
  /// be. Dinic's algorithm (1970): O(vertices^2 * edges), nearly linear on graphs of models. Call it once.
  std::vector<bool> nearest_to_sink(std::size_t source, std::size_t sink);

 private:
  struct Edge {
    std::size_t to;
    std::uint64_t left;
  };
  bool layer(std::size_t source, std::size_t sink);
  std::uint64_t augment(std::size_t source, std::size_t sink);

  std::vector<Edge> edges_;  // edge 2 k and its reverse 2 k + 1
  std::vector<std::vector<std::size_t>> edges_of_;
  std::vector<std::size_t> depth_, next_;
};

}  // namespace skerry::edge
