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
/// sec. 5.2. apart: bytes that those alive together are at least away from each other, a multiple of 64.
ArenaLayout lay_out(std::span<const Lifetime> lifetimes, std::uint64_t apart = 0);

/// The most bytes alive at one step, each buffer rounded up to 64: what no layout can go below.
std::uint64_t most_alive(std::span<const Lifetime> lifetimes);

/// For several threads: buffers that neighbour each other are apart, as long as that costs no tenth of most_alive().
/// A processor that reads the end of one fetches ahead what another is writing at the beginning of the next: by two
/// pages, and a depthwise layer of a small model took half as long again.
ArenaLayout lay_out_apart(std::span<const Lifetime> lifetimes);

}  // namespace skerry::planning
