/// \file
/// Convolutions by 3 x 3 windows with fewer products: Winograd's F(4 x 4, 3 x 3) and F(2 x 2, 3 x 3) as Lavin and Gray
/// use them ("Fast Algorithms for Convolutional Neural Networks", CVPR 2016), channels last.
///
/// With d a tile of (m + 2) x (m + 2) pixels and g a window, y = A^T [(G g G^T) * (B^T d B)] A are its m x m outputs:
/// 36 products instead of 144 for m = 4, 16 instead of 36 for m = 2. Over channels the products become (m + 2)^2
/// products of matrices. Errors grow with m: against sums in f64, about 10 (m = 4) and 2 times those of adding up
/// directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/memory.hpp"
#include "kernels/tensor/conv.hpp"

namespace skerry::kernels {

/// For one group, stride and dilation 1, channels and outputs multiples of 16. Results do not depend on the number of
/// threads. Immutable.
class WinogradF32 {
 public:
  /// Whether the shape is one of those.
  static bool takes(const ConvShape& shape) noexcept;
  /// Outputs of a tile along an axis, 4 or 2: the larger while its weights stay in a cache.
  static std::int64_t tile_of(std::int64_t channels, std::int64_t outputs) noexcept;
  /// Multiply-adds of a run, counted as two operations.
  static double flops(const ConvShape& shape) noexcept;
  /// Bytes of what is transformed, each written and read once.
  static double moved_bytes(const ConvShape& shape) noexcept;

  WinogradF32(const ConvShape& shape, std::span<const float> weights, std::span<const float> bias);
  std::uint64_t scratch_bytes() const noexcept { return slots_ * slot_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  void run(const float* x, float* y, std::span<std::byte> scratch, const BlockEnd& end = {}) const;

 private:
  void run_block(std::size_t first, std::size_t count, const float* x, float* y, float* scratch,
                 const BlockEnd& end) const;
  void transform_input(std::size_t tile, const float* x, float* v, std::size_t stride) const;

  ConvShape shape_;
  std::size_t m_, positions_;
  std::size_t tiles_x_, tiles_, block_;  ///< tiles of a row, of all images, of a block
  std::size_t panel_, panels_;
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0;
  base::Buffer packed_;  ///< per position: the weights' panels; then the bias, then as many zeros
};

}  // namespace skerry::kernels
