/// \file
/// What convolutions and pools share: a window that slides over one to three spatial axes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace skerry::kernels {

/// Always three spatial axes; those that are missing come first with extent, kernel and stride 1. Output position o
/// sees the input positions o * stride - pad_begin + k * dilation, k in [0, kernel), as far as they exist.
struct Window {
  using Extents = std::array<std::int64_t, 3>;
  static constexpr Extents kOnes = {1, 1, 1};
  Extents input = kOnes, kernel = kOnes, stride = kOnes, dilation = kOnes;
  Extents pad_begin{}, pad_end{}, output = kOnes;

  static constexpr std::int64_t volume(const Extents& e) noexcept { return e[0] * e[1] * e[2]; }
  std::int64_t inputs() const noexcept { return volume(input); }
  std::int64_t taps() const noexcept { return volume(kernel); }
  std::int64_t outputs() const noexcept { return volume(output); }

  /// Input position that output `o` sees through tap `k`; may lie outside.
  std::int64_t position(std::size_t axis, std::int64_t o, std::int64_t k) const noexcept {
    return o * stride[axis] - pad_begin[axis] + k * dilation[axis];
  }
  /// Outputs [first, last) that see an existing input through tap `k`.
  std::array<std::int64_t, 2> seen(std::size_t axis, std::int64_t k) const noexcept {
    const std::int64_t shift = position(axis, 0, k);
    const std::int64_t s = stride[axis];
    const std::int64_t first = shift >= 0 ? 0 : (-shift + s - 1) / s;
    const std::int64_t past = input[axis] - shift;  // o * s must be below it
    const std::int64_t last = past <= 0 ? 0 : (past + s - 1) / s;
    return {std::min(first, output[axis]), std::clamp(last, std::min(first, output[axis]), output[axis])};
  }
  /// Outputs [first, last) all of whose taps exist.
  std::array<std::int64_t, 2> inside(std::size_t axis) const noexcept {
    const std::int64_t first = seen(axis, 0)[0];
    return {first, std::max(first, seen(axis, kernel[axis] - 1)[1])};
  }
  bool has_padding() const noexcept {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (inside(axis)[0] > 0 || inside(axis)[1] < output[axis]) return true;
    }
    return false;
  }
};

}  // namespace skerry::kernels
