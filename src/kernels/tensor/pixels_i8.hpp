/// \file
/// Convolutions and pools of 8-bit elements with channels last; see pixels.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/tensor/conv_i8.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/pixels_i8_loops.hpp"
#include "kernels/tensor/quantized.hpp"

namespace skerry::kernels {

/// What is known of a quantised convolution before it runs. Weights are i8 with zero points 0, or u8 with 128.
struct QuantisedConvI8 {
  ElementsI8 weights;  ///< [outputs, channels / groups, kernel]
  bool x_signed = false;
  std::int32_t x_zero = 0;
  std::span<const std::int32_t> bias;  ///< one per output, or empty
  std::span<const float> scale;        ///< one per output: of the sum, to the result
};

/// What a convolution adds to its quantised result, as quantized_add() would afterwards: of y's dtype, laid out as y.
struct ResidualI8 {
  const std::uint8_t* data = nullptr;
  SumI8 sum;
};
/// The sum of a result and a residual: a + b where residual_left is false, and b the residual.
SumI8 sum_with_residual(QuantI8 of_a, QuantI8 of_b, QuantI8 of_sum, bool residual_left, bool is_signed);

/// y = what ConvI8 gives of the same numbers, with channels last, for one group and two spatial axes. Immutable.
class PixelConvI8 {
 public:
  PixelConvI8(const ConvShape& shape, const QuantisedConvI8& conv, bool planes_in);
  std::uint64_t scratch_bytes() const noexcept { return pieces_.scratch_bytes(); }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes() + (add_.size() + scale_.size()) * 4; }
  /// end: zero and bounds of the result, before the residual; y may be where the residual stands.
  void run(const std::uint8_t* x, std::uint8_t* y, std::span<std::byte> scratch, const EndI8& end,
           const ResidualI8& residual = {}) const;

 private:
  ConvShape shape_;
  std::uint8_t flip_, padding_;
  PixelPieces pieces_;
  std::size_t groups_ = 0;  ///< fours of a segment
  base::Buffer packed_;     ///< panel by panel, each [segment][group][output][4]
  std::vector<std::int32_t> add_;
  std::vector<float> scale_;
};

/// The same for depthwise convolutions.
class PixelDepthwiseI8 {
 public:
  PixelDepthwiseI8(const ConvShape& shape, const QuantisedConvI8& conv);
  std::uint64_t packed_bytes() const noexcept { return (weights_.size() + starts_.size() + scale_.size()) * 4; }
  void run(const std::uint8_t* x, std::uint8_t* y, const EndI8& end) const;

 private:
  void run_span(std::int64_t oy, std::int64_t first, std::int64_t last, const std::uint8_t* image, std::uint8_t* row,
                const EndI8& end) const;

  ConvShape shape_;
  bool x_signed_;
  std::vector<Taps> rows_, columns_;
  std::vector<std::int32_t> weights_;  ///< [tap][channel]
  /// What sums begin with depends on the taps that see the input: [rows that are seen][columns][channel].
  std::vector<std::int32_t> starts_;
  std::vector<std::size_t> row_case_, column_case_;
  std::size_t column_cases_ = 0;
  std::vector<float> scale_;
};

/// y[image, c] = mean over space of x [images, space, channels], summed as integers.
void quantized_pixel_mean(ElementsI8 x, QuantI8 of_x, std::int64_t images, std::int64_t space, std::int64_t channels,
                          QuantI8 of_y, std::uint8_t* y);
/// Largest element of each window, channels last; padding is no element. Immutable.
class PixelMaxI8 {
 public:
  PixelMaxI8(const Window& window, std::int64_t batch, std::int64_t channels);
  void run(ElementsI8 x, std::uint8_t* y) const;

 private:
  Window window_;
  std::int64_t batch_, channels_;
  std::vector<Taps> rows_, columns_;
};

}  // namespace skerry::kernels
