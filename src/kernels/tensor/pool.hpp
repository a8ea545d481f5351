/// \file
/// Pooling: the largest element or the mean of what a window sees, plane by plane; in vectors see slide.hpp.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>

#include "kernels/tensor/window.hpp"

namespace skerry::kernels {

/// y [planes, output] = largest element of x [planes, input] in the window; padding is no element. indices, i64 and of
/// y's shape, or empty: where in x (all planes counted through) the first largest element stands; column_major counts a
/// plane's first spatial axis fastest. Reals, i8, u8. A window without elements gives the lowest value and index -1.
void max_pool_ref(const Window& window, std::int64_t planes, bool column_major, TensorView x, MutableTensorView y,
                  MutableTensorView indices);

/// y = mean of the window's elements. count_padding: padding (but nothing beyond it) counts as zeros. Reals.
void average_pool_ref(const Window& window, std::int64_t planes, bool count_padding, TensorView x, MutableTensorView y);

/// How many taps of one axis count in the mean at output `o`.
inline std::int64_t counted_taps(const Window& s, std::size_t axis, std::int64_t o, bool count_padding) noexcept {
  const std::int64_t low = count_padding ? -s.pad_begin[axis] : 0;
  const std::int64_t high = s.input[axis] + (count_padding ? s.pad_end[axis] : 0);
  const std::int64_t begin = s.position(axis, o, 0), d = s.dilation[axis];
  const std::int64_t first = begin >= low ? 0 : (low - begin + d - 1) / d;
  const std::int64_t last = begin >= high ? 0 : (high - begin + d - 1) / d;
  return std::max<std::int64_t>(0, std::min(last, s.kernel[axis]) - first);
}

}  // namespace skerry::kernels
