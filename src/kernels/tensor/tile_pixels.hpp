/// \file
/// Which pixels one tile of a convolution with channels last computes.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// Where the R pixels of a tile stand: side by side, or (paired) seven of each of two rows. They are reached from every
/// third one, so that addresses need few registers.
template <std::size_t R, bool paired>
struct TilePixels {
  static constexpr std::size_t kBases = paired ? 6 : (R + 2) / 3;
  static constexpr std::size_t base_row(std::size_t b) { return paired ? b / 3 : 0; }
  static constexpr std::size_t base_pixel(std::size_t b) { return paired ? b % 3 * 3 : b * 3; }
  static constexpr std::size_t row(std::size_t r) { return paired ? r / 7 : 0; }
  static constexpr std::size_t pixel(std::size_t r) { return paired ? r % 7 : r; }
  static constexpr std::size_t base(std::size_t r) { return row(r) * 3 + pixel(r) / 3; }
};

}  // namespace skerry::kernels
