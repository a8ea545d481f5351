/// \file
/// Convolutions and pools of float32 with channels last: x [batch, space, channels], one pixel's channels side by side.
/// A row of the window then sees neighbouring numbers, so nothing of x is repacked, and vectors hold channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/pixels_loops.hpp"

namespace skerry::kernels {

/// y = conv_ref of the same numbers with channels last, for one group and two spatial axes. The weights [outputs,
/// channels, kernel] are packed once. Each output is summed in one order, whatever the number of threads. Immutable.
class PixelConvF32 {
 public:
  /// bias: one number per output, or empty. planes_in: x still stands with channels first.
  PixelConvF32(const ConvShape& shape, std::span<const float> weights, std::span<const float> bias, bool planes_in);
  std::uint64_t scratch_bytes() const noexcept { return slots_ * slot_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  void run(const float* x, float* y, std::span<std::byte> scratch, const BlockEnd& end = {}) const;

 private:
  struct Piece;
  void cut(std::size_t threads);
  void copy_padded(const Piece& piece, const float* image, float* to) const;
  void run_piece(const Piece& piece, const float* image, float* y, float* padded, const BlockEnd& end) const;

  ConvShape shape_;
  bool planes_in_, copies_;
  std::size_t panel_ = 0, panels_ = 0, depth_ = 0;
  std::size_t rows_ = 1, row_blocks_ = 1;      ///< output rows of a piece
  std::size_t pixels_ = 0, pixel_blocks_ = 1;  ///< of a row; cut only where there is but one row
  std::size_t piece_panels_ = 1, panel_blocks_ = 1;
  std::size_t x_row_ = 0;              ///< numbers between rows of what is read: x, or a piece's copy of it
  std::vector<std::size_t> segments_;  ///< where the window's runs of neighbours begin
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0;
  base::Buffer packed_;  ///< weights, panel by panel, then the bias
};

/// Windows that see each channel by itself, over two spatial axes: depthwise convolution and pools. Immutable once
/// pack() or begin_with() was called.
class PixelWindowF32 {
 public:
  PixelWindowF32(const Window& window, std::int64_t batch, std::int64_t channels);
  /// Depthwise weights [channels, 1, kernel]; bias may be empty.
  void pack(std::span<const float> weights, std::span<const float> bias);
  /// What a pool begins with: 0 for a mean, -infinity for the largest.
  void begin_with(float start);
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }

  void convolve(const float* x, float* y, const BlockEnd& end = {}) const;
  void max(const float* x, float* y) const;
  /// count_padding as in average_pool_ref().
  void average(bool count_padding, const float* x, float* y) const;

 private:
  struct Job {
    WindowFold fold;
    BlockEnd end = {};
    bool count_padding = false;
    std::ptrdiff_t to_residual = 0;  ///< from an element of y to that of the residual; 0 where there is none
  };
  std::size_t packed_channels() const noexcept {
    return static_cast<std::size_t>(channels_ * (repeat_ > 1 ? repeat_ : 1));
  }
  void run(Job job, const float* x, float* y) const;
  void run_span(const Job& job, std::int64_t oy, std::int64_t first, std::int64_t last, const float* image,
                float* row) const;
  void few_channels(const Job& job, std::int64_t oy, std::int64_t ox, const float* image, float* y,
                    const float* residual, float scale) const;
  float scale_at(const Job& job, std::int64_t oy, std::int64_t ox) const;

  Window window_;
  std::int64_t batch_, channels_;
  std::int64_t repeat_;  ///< pixels in a vector; 0 where channels fill none
  base::Buffer packed_;  ///< per tap: the channels' weights; then the bias, or what a pool begins with
};

}  // namespace skerry::kernels
