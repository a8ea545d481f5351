/// \file
/// Rows of patches: what one tap of a window sees of a plane, output by output.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/tensor/conv.hpp"

namespace skerry::kernels {

// Rows of images are short: a call of memcpy would cost more than it moves.
template <class T>
void copy_run(const T* from, std::int64_t count, std::int64_t stride, T* to) {
  if (stride == 1) {
    if (count >= 64) {
      std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
}

/// An output position; divisions happen once for a block of patches.
struct Pixel {
  std::int64_t z, y, x;
};

/// One patch row for `count` pixels from `at` on, written in order; `padding` where the tap sees nothing.
template <class T>
void patch_row(const Window& s, const T* plane, const PatchTap& tap, Pixel at, std::int64_t count, T padding, T* to) {
  while (count > 0) {
    const std::int64_t run = std::min(count, s.output[2] - at.x);
    const std::int64_t z = at.z * s.stride[0] + tap.z, y = at.y * s.stride[1] + tap.y;
    const bool outside = z < 0 || y < 0 || z >= s.input[0] || y >= s.input[1];
    const std::int64_t past = at.x + run;
    const std::int64_t from = outside ? past : std::clamp(tap.first, at.x, past);
    const std::int64_t until = outside ? past : std::clamp(tap.last, from, past);
    for (std::int64_t i = 0; i < from - at.x; ++i) to[i] = padding;
    if (until > from) {
      const T* row = plane + (z * s.input[1] + y) * s.input[2];
      copy_run(row + tap.x + from * s.stride[2], until - from, s.stride[2], to + (from - at.x));
    }
    for (std::int64_t i = until - at.x; i < run; ++i) to[i] = padding;
    to += run;
    count -= run;
    at.x = 0;
    if (++at.y == s.output[1]) at.y = 0, ++at.z;
  }
}

/// The position of output `index` in row-major order.
inline Pixel pixel_at(const Window& s, std::int64_t index) {
  return {index / s.output[2] / s.output[1], index / s.output[2] % s.output[1], index % s.output[2]};
}

/// The taps of a window in row-major order.
inline std::vector<PatchTap> patch_taps(const Window& w) {
  std::vector<PatchTap> taps;
  for (std::int64_t tap = 0; tap < w.taps(); ++tap) {
    const std::int64_t kx = tap % w.kernel[2];
    const auto [first, last] = w.seen(2, kx);
    taps.push_back({w.position(0, 0, tap / w.kernel[2] / w.kernel[1]),
                    w.position(1, 0, tap / w.kernel[2] % w.kernel[1]), w.position(2, 0, kx), first, last});
  }
  return taps;
}

}  // namespace skerry::kernels
