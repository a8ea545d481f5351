/// \file
/// Sums of a few weighted elements that a table names: interpolation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::kernels {

/// `taps` elements for each of `count` results: entry t of result i stands at t * row + i. A weight of 0 takes nothing
/// from its element, not even what is no number.
struct WeightedTaps {
  const std::int32_t* index;
  const float* weight;
  std::size_t taps, count, row;
};
/// y[i] = (accumulate ? y[i] : 0) + sum over t of weight[t, i] * x[index[t, i]], on the calling thread.
void weighted_sums_f32(const float* x, const WeightedTaps& taps, bool accumulate, float* y);

/// Axes of a tensor stretched or shrunk one after the other, each result a weighted sum along its axis.
class ResizeF32 {
 public:
  /// One axis: x as [outer, input, inner] becomes [outer, output, inner]; tables [taps, output] of places along the
  /// axis (each below `input`) and weights.
  struct Axis {
    std::int64_t outer = 1, input = 1, inner = 1, output = 1;
    std::size_t taps = 0;
    std::vector<std::int32_t> index;
    std::vector<float> weight;
  };
  /// In the order in which they are done: x's extents as the axes before have left them. At least one.
  explicit ResizeF32(std::vector<Axis> axes);
  std::uint64_t scratch_bytes() const noexcept { return 2 * buffer_floats_ * sizeof(float); }
  std::uint64_t bytes() const noexcept;
  void run(const float* x, float* y, std::span<std::byte> scratch) const;

 private:
  std::vector<Axis> axes_;
  std::size_t buffer_floats_ = 0;  ///< of the largest result between two axes
};

}  // namespace skerry::kernels
