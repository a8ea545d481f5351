/// \file
/// Windows slid over single planes in float32 vectors: depthwise convolution, largest element, mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/window.hpp"

namespace skerry::kernels {

/// A window made ready. A plane is copied with its padding, split by the stride, so that every tap sees neighbouring
/// outputs as neighbouring elements, rows run into each other, and no edge is special. Immutable.
class SlideF32 {
 public:
  /// outputs: planes that a run gives.
  SlideF32(const Window& window, std::int64_t outputs);

  std::uint64_t scratch_bytes() const noexcept { return slots_ * slot_bytes_; }

  /// y[i] = bias[i % channels] + sum of w[i % channels] * what the window sees of x[i / multiplier]; bias may be null.
  /// `channels` planes of y have weights of their own, every `multiplier` of them share a plane of x.
  /// Kept within low and high while a plane is in the cache.
  void convolve(std::int64_t channels, std::int64_t multiplier, const float* x, const float* w, const float* bias,
                float* y, std::span<std::byte> scratch, const BlockEnd& end = {}) const;
  /// y[i] = largest element that the window sees of x[i]; -infinity where it sees nothing.
  void max(const float* x, float* y, std::span<std::byte> scratch) const;
  /// y[i] = mean; count_padding as in average_pool_ref().
  void average(bool count_padding, const float* x, float* y, std::span<std::byte> scratch) const;

 private:
  /// One remainder of tap positions by the stride: index i of the spread axis is input position shift + i * stride, as
  /// far as first <= i < last.
  struct Phase {
    std::int64_t remainder, shift, first, last;
  };
  struct Axis {
    std::vector<Phase> phases;  ///< those that occur
    std::int64_t length = 0;    ///< of each
  };
  template <class F>
  void for_each_plane(std::span<std::byte> scratch, F&& f) const;
  Phase make_phase(std::size_t axis, std::int64_t remainder, std::int64_t length) const;
  void spread(const float* plane, float padding, float* to) const;
  void spread_row(const float* row, const Phase& phase, float padding, float* to) const;
  void collect(const float* from, float* y) const;
  void divide(bool count_padding, float* y) const;

  Window window_;
  std::int64_t outputs_;
  Axis axes_[3];
  std::vector<std::size_t> taps_;  ///< where in the spread plane each tap of output 0 stands
  std::size_t spread_floats_ = 0, length_ = 0;
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0;
};

}  // namespace skerry::kernels
