/// \file
/// A program as the router sees it: blocks on pairs of wires and what stands between them, each with its successors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// One block of a pair (two wires), or something that may run wherever it lies.
struct RouteNode {
  Wire a = 0, b = 0;
  std::uint32_t head = 0;  ///< first gate of a pair's chain, or the gate
  bool is_pair = false;
  std::uint8_t plain = 0, mirrored = 0;  ///< CX of the block, and of the block with a swap after it
};

/// Nodes in an order that keeps every wire's; edges to the next node on each wire.
class RouteGraph {
 public:
  explicit RouteGraph(const Flat& flat);

  std::size_t size() const noexcept { return nodes_.size(); }
  const RouteNode& node(std::uint32_t i) const { return nodes_[i]; }
  std::span<const std::uint32_t> successors(std::uint32_t i) const { return list(successors_, successor_begin_, i); }
  std::span<const std::uint32_t> predecessors(std::uint32_t i) const {
    return list(predecessors_, predecessor_begin_, i);
  }
  /// The gate after `gate` in its pair.
  std::uint32_t next(std::uint32_t gate) const { return next_[gate]; }

 private:
  static std::span<const std::uint32_t> list(const std::vector<std::uint32_t>& all,
                                             const std::vector<std::uint32_t>& begin, std::uint32_t i) {
    return std::span(all).subspan(begin[i], begin[i + 1] - begin[i]);
  }

  std::vector<RouteNode> nodes_;
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> successors_, successor_begin_, predecessors_, predecessor_begin_;
};

}  // namespace skerry::passes::native
