/// \file
/// Offsets for buffers with known sizes and lifetimes, so that those alive together never overlap.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace skerry::planning {

/// A buffer alive from step `first` to step `last`, both included.
struct Lifetime {
  std::uint64_t bytes = 0;
  std::size_t first = 0, last = 0;
};

struct ArenaLayout {
  std::vector<std::uint64_t> offsets;  ///< one per lifetime, multiples of 64
  std::uint64_t bytes = 0;
};

/// Greedy by size: the largest buffer first, each at the lowest offset where it fits between those already placed that
/// are alive with it. Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020,
/// sec. 5.2.
ArenaLayout lay_out(std::span<const Lifetime> lifetimes);

}  // namespace skerry::planning
