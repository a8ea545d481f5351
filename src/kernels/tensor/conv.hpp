/// \file
/// Convolutions over one to three spatial axes, channels before space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/window.hpp"

namespace skerry::kernels {

/// y[n, o, p] = bias[o] + sum over i, k of w[o, i, k] x[n, first(o) + i, p * stride - pad + k * dilation], where output
/// channel o sees the channels / groups input channels of its group. x [batch, channels, space], w [outputs,
/// channels / groups, kernel], y [batch, outputs, space].
struct ConvShape {
  std::int64_t batch = 1, channels = 1, outputs = 1, groups = 1;
  Window window;

  std::int64_t group_channels() const noexcept { return channels / groups; }
  std::int64_t group_outputs() const noexcept { return outputs / groups; }
  /// Products one output element is the sum of.
  std::int64_t depth() const noexcept { return group_channels() * window.taps(); }
  double flops() const noexcept {
    return 2.0 * static_cast<double>(batch * outputs) * static_cast<double>(window.outputs()) *
           static_cast<double>(depth());
  }
};

/// Any real dtype, summed in f64. bias may be empty.
void conv_ref(const ConvShape& shape, TensorView x, TensorView w, TensorView bias, MutableTensorView y);

/// Where a kernel element looks: its input position for output 0, and the outputs [first, last) of a row that see the
/// input through it.
struct PatchTap {
  std::int64_t z, y, x, first, last;
};

/// float32 as a product: the weights packed once, the patches of the input packed block by block.
class ConvF32 {
 public:
  /// weights: the values when they are constant, else empty; then they are packed at each run.
  ConvF32(const ConvShape& shape, std::span<const float> weights);
  std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  /// bias may be null.
  void run(const float* x, const float* w, const float* bias, float* y, std::span<std::byte> scratch,
           const BlockEnd& end = {}) const;

 private:
  struct Piece;
  void run_piece(const Piece& piece, const float* x, const float* weights, const float* bias, float* y, float* patches,
                 const BlockEnd& end) const;

  ConvShape shape_;
  std::vector<PatchTap> taps_;
  std::size_t group_floats_ = 0;  ///< of one group's packed weights
  std::size_t columns_ = 0, column_blocks_ = 0;
  std::size_t rows_ = 0, row_blocks_ = 0;
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0, scratch_bytes_ = 0;
  base::Buffer packed_;
};

}  // namespace skerry::kernels
