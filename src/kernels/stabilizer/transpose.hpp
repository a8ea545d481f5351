/// \file
/// Turns 64 rows of 64 bits into columns.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace skerry::kernels {

/// Bit j of word i <-> bit i of word j. Source: Warren, Hacker's Delight, 2nd edition, section 7-3.
inline void transpose64(std::span<std::uint64_t, 64> rows) noexcept {
  std::uint64_t mask = 0x00000000ffffffffULL;
  for (unsigned width = 32; width != 0; width >>= 1, mask ^= mask << width) {
    for (unsigned i = 0; i < 64; i = (i + width + 1) & ~width) {
      const std::uint64_t moved = (rows[i] >> width ^ rows[i + width]) & mask;
      rows[i] ^= moved << width;
      rows[i + width] ^= moved;
    }
  }
}

}  // namespace skerry::kernels
