/// \file
/// Where wires of a program lie on a device, and the swaps that bring them together.
#pragma once

#include <cstdint>
#include <skerry/target.hpp>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// The coupling map with all distances. Bytes: wires^2.
class Coupling {
 public:
  /// Errors: invalid_argument for a map that is not connected, limit_exceeded above 4096 wires.
  explicit Coupling(const Target& target);

  std::uint32_t size() const noexcept { return size_; }
  const std::vector<Wire>& neighbours(Wire wire) const { return neighbours_[wire]; }
  /// From one wire to all.
  const std::uint16_t* distances(Wire from) const noexcept { return distance_.data() + std::size_t{from} * size_; }
  unsigned distance(Wire a, Wire b) const noexcept { return distance_[a * size_ + b]; }

 private:
  std::uint32_t size_;
  std::vector<std::vector<Wire>> neighbours_;
  std::vector<std::uint16_t> distance_;
};

/// How hard to search. Everything is a count, so that the same seed gives the same answer on any machine.
struct RouteEffort {
  unsigned layouts = 4;  ///< starts that are tried
  unsigned rounds = 1;   ///< forward and backward walks that improve each start
  unsigned keep = 1;     ///< best candidates that are given back
  std::uint64_t seed = 42;
};

struct Routed {
  Flat flat;                   ///< on the device's wires, with swaps; places: of each program wire at the end
  std::vector<Wire> initial;   ///< device wire of each program wire at the start
  std::uint64_t estimate = 0;  ///< CX, swaps and blocks merged where they meet
};

/// Every CX of the result lies on an edge. First a placement where all pairs meet is looked for; else SABRE: blocks
/// that can run do, swaps are chosen by how near they bring the front and what follows, and by what they cost next to
/// the block they join (a swap after three CX on its pair is free). Trials run in parallel. Sorted by estimate. Source:
/// Li, Ding, Xie, arXiv:1809.02573; Zou et al., arXiv:2409.08368 (relative scores); Liu et al., NASSC, HPCA 2022 (swaps
/// that cost less). Errors: out_of_range when the device has too few wires.
std::vector<Routed> route(Flat flat, const Coupling& coupling, const RouteEffort& effort);

}  // namespace skerry::passes::native
