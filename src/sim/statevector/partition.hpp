/// \file
/// Which gates can be done together while only some wires are within reach: one question, asked for the wires of a
/// sweep and again for those of each step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace skerry::sim {

/// What a piece of work needs: bits that it mixes, which must be within reach, and bits that it only looks at. Two
/// pieces may change places unless one mixes what the other mixes or looks at.
struct Reach {
  std::uint64_t x = 0, z = 0;
};

struct Part {
  std::uint64_t reach = 0;           ///< the bits chosen
  std::vector<std::uint32_t> taken;  ///< in order; no piece before one of them, left behind, stands in its way
};

/// Takes a part out of `todo` (indices into reaches, in order): bits always plus up to `capacity` in all, chosen in the
/// order in which the work wants them. What only looks at bits is taken as late as it can be, so that it merges. The
/// part is empty only when the first of todo wants more bits than there are.
Part take_part(std::span<const Reach> reaches, std::vector<std::uint32_t>& todo, std::uint64_t always, int capacity);

/// The bits, `capacity` of 0 .. bits - 1 with `always` among them, within reach of which most is done for what it
/// costs: those in the order in which the work wants them, or a window of neighbours. Every bit that is still known to
/// be 0 (`zero`) halves the cost until something mixes it, so that work is done before the state has grown.
std::uint64_t choose_reach(std::span<const Reach> reaches, std::span<const std::uint32_t> todo, std::uint64_t always,
                           int capacity, int bits, std::uint64_t zero);

/// All bits that some of the work mixes.
std::uint64_t mixed_bits(std::span<const Reach> reaches, std::span<const std::uint32_t> work);

}  // namespace skerry::sim
