/// \file
/// Where wires of a program lie on a device, and the swaps that bring them together.
#pragma once

#include <cstdint>
#include <skerry/target.hpp>
#include <span>
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
  unsigned starts = 4;             ///< layouts that are walked forward, backward and forward
  bool along_path = false;         ///< one more start, which knows only the edges of a long path
  unsigned again = 0;              ///< further layouts for the best program where swaps are most of what comes out
  unsigned rounds = 1;             ///< further walks backward and forward of the best of them,
  unsigned finalists = 1;          ///< which are so many
  unsigned keep = 1;               ///< best candidates that are given back
  std::uint64_t work = 1'000'000;  ///< nodes that walks may meet: for large programs the counts above shrink
  std::uint64_t seed = 42;
};

struct Routed {
  std::size_t which = 0;       ///< of the programs
  Flat flat;                   ///< on the device's wires, with swaps; places: of each program wire at the end
  std::vector<Wire> initial;   ///< device wire of each program wire at the start
  std::uint64_t estimate = 0;  ///< CX, swaps and blocks merged where they meet
};

/// Programs of one meaning, of which the best few are wanted; their last measurements are taken out of them. Every CX
/// of a result lies on an edge. First a placement where all pairs meet is looked for; else SABRE: blocks that can run
/// do, swaps are chosen by how near they bring the front and what follows, and by what they cost next to the block they
/// join (a swap after three CX on its pair is free). Trials run in parallel; all programs' trials compete. Source:
/// Li, Ding, Xie, arXiv:1809.02573; Zou et al., arXiv:2409.08368 (relative scores); Liu et al., NASSC, HPCA 2022 (swaps
/// that cost less). Errors: out_of_range when the device has too few wires.
std::vector<Routed> route(std::span<Flat> flats, const Coupling& coupling, RouteEffort effort);

}  // namespace skerry::passes::native
