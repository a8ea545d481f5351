/// \file
/// Transposed convolutions over one to three spatial axes, channels before space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/tensor/conv.hpp"

namespace skerry::kernels {

/// y[n, o, p * stride - pad + k * dilation] += w[i, o, k] x[n, i, p], begun at bias[o], where input channel i of a
/// group spreads over the outputs of that group. x [batch, channels, space], w [channels, outputs / groups, kernel], y
/// [batch, outputs, space]. The window is that of the convolution from y to x: its input is y's space, its output x's.
///
/// Each group's weights, turned, are multiplied with x; what becomes of it is added where it belongs, a few outputs
/// and a block of pixels at a time:
///
///     columns [outputs x taps, pixels] = w^T [outputs x taps, channels] * x [channels, pixels]
class ConvTransposeF32 {
 public:
  /// weights: the values when they are constant, else empty; then they are packed at each run.
  ConvTransposeF32(const ConvShape& shape, std::span<const float> weights);
  std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  /// bias may be null. The result does not depend on the number of threads.
  void run(const float* x, const float* w, const float* bias, float* y, std::span<std::byte> scratch) const;

 private:
  void pack(const float* w, float* packed) const;
  void run_block(std::size_t group, std::size_t block, const float* weights, const float* right, const float* bias,
                 float* y, float* columns) const;

  ConvShape shape_;
  std::vector<PatchTap> taps_;
  std::size_t block_outputs_ = 1, blocks_ = 1;  ///< outputs of a group that are computed together, and how many such
  std::size_t block_floats_ = 0;                ///< of their packed weights
  std::size_t columns_ = 0;                     ///< pixels in a block
  std::size_t right_floats_ = 0;
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0, scratch_bytes_ = 0;
  base::Buffer packed_;
};

/// y [rows, count of the window's inputs], which has begun, plus the columns [rows * taps, places of the window's
/// outputs]: each put back where the window took it from. Rows are shared by the threads.
void add_columns(const Window& window, std::span<const PatchTap> taps, const float* columns, std::size_t rows,
                 float* y);

}  // namespace skerry::kernels
