/// \file
/// Which pixels one tile of a convolution with channels last computes.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// Where the R pixels of a tile stand: side by side, or (paired) half of them in each of two rows. They are reached
/// from every third one, so that addresses need few registers.
template <std::size_t R, bool paired>
struct TilePixels {
  static constexpr std::size_t kWidth = paired ? R / 2 : R, kRowBases = (kWidth + 2) / 3;
  static constexpr std::size_t kBases = paired ? 2 * kRowBases : kRowBases;
  static constexpr std::size_t base_row(std::size_t b) { return b / kRowBases; }
  static constexpr std::size_t base_pixel(std::size_t b) { return b % kRowBases * 3; }
  static constexpr std::size_t row(std::size_t r) { return r / kWidth; }
  static constexpr std::size_t pixel(std::size_t r) { return r % kWidth; }
  static constexpr std::size_t base(std::size_t r) { return row(r) * kRowBases + pixel(r) / 3; }
};

}  // namespace skerry::kernels
