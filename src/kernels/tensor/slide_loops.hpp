/// \file
/// The inner loops of sliding windows, in vectors.
#pragma once

#include <cstddef>
#include <span>

namespace skerry::kernels {

/// y[i] = start joined with x[taps[t] + i] over all t. May read and write kSlideSlack floats past the last one.
struct SlideLoop {
  const float* x;
  std::span<const std::size_t> taps;
  const float* w;  ///< one per tap, for the convolution
  float start;
  std::size_t count;
  float* y;
};
/// Four of the longest vectors there are.
inline constexpr std::size_t kSlideSlack = 64;

void slide_convolve(const SlideLoop& loop);
void slide_max(const SlideLoop& loop);
void slide_sum(const SlideLoop& loop);

/// y[i] = x[2 i].
void take_every_other(const float* x, std::size_t count, float* y);

}  // namespace skerry::kernels
