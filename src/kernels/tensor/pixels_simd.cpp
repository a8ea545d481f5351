// Convolutions of float32 with channels last, one source for every instruction set, chosen at run time.
//
// A tile of y stays in registers while the products run (`#` is one vector of outputs):
//
//                            weights   k0  # #
//                                      k1  # #
//     pixels      k0 k1 k2 ...         k2  # #      one step: load a row of the weights,
//       pixel 0    x  x  x               y # #      broadcast one input element per pixel,
//       pixel 1    x  x  x               y # #      multiply and add
//
// Nothing of x is repacked: the elements that a row of the kernel sees are neighbours as they stand.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/pixels_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/tensor/bounds_simd.hpp"
#include "kernels/tensor/pixels_loops.hpp"
#include "kernels/tensor/tile_pixels.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr std::size_t kVectors = 2;
constexpr std::size_t kLine = 16;  // numbers in a cache line
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_ARCH_ARM_A64
constexpr std::size_t kPixels = 14;
#else
constexpr std::size_t kPixels = 6;
#endif

std::size_t panel_width() {
  return kVectors * hn::Lanes(D());
}

// One product of each pixel and each of N vectors of outputs.
template <class Pixels, std::size_t R, std::size_t N>
HWY_INLINE void add_products(const float* const (&base)[Pixels::kBases], std::size_t pixel, const float* w,
                             V (&sum)[R][N]) {
  const D d;
  V right[N];
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) right[n] = hn::LoadU(d, w + n * hn::Lanes(d));
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
    const V left = hn::Set(d, base[Pixels::base(r)][Pixels::pixel(r) % 3 * pixel]);
    _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[r][n] = hn::MulAdd(left, right[n], sum[r][n]);
  }
}

// R pixels and N vectors of outputs, while weights are fetched that come next. Addresses are made opaque to the
// compiler, which would otherwise keep one for every pixel and spill most of them.
template <class Pixels, std::size_t R, std::size_t N>
HWY_INLINE void multiply(const PixelRows& rows, const float* x, const float* ahead, V (&sum)[R][N]) {
  constexpr std::size_t kBases = Pixels::kBases;
  const std::size_t step = N * hn::Lanes(D()), pixel = rows.x_pixel;
  const float* HWY_RESTRICT w = rows.w;
  const float* first[kBases];
  _Pragma("GCC unroll 16") for (std::size_t b = 0; b < kBases; ++b) first[b] =
      x + Pixels::base_row(b) * rows.x_row + Pixels::base_pixel(b) * pixel;
  const float* base[kBases];
  if (rows.length == 1) {
    for (const std::size_t segment : rows.segments) {
      _Pragma("GCC unroll 16") for (std::size_t b = 0; b < kBases; ++b) {
        base[b] = first[b] + segment;
        asm("" : "+r"(base[b]));
      }
      add_products<Pixels>(base, pixel, w, sum);
      w += step;
    }
    return;
  }
  for (const std::size_t segment : rows.segments) {
    _Pragma("GCC unroll 16") for (std::size_t b = 0; b < kBases; ++b) base[b] = first[b] + segment;
    for (std::size_t k = 0; k < rows.length; ++k) {
      _Pragma("GCC unroll 16") for (std::size_t b = 0; b < kBases; ++b) asm("" : "+r"(base[b]));
      add_products<Pixels>(base, pixel, w, sum);
      w += step;
      __builtin_prefetch(ahead, 0, 2);
      ahead += kLine;
      _Pragma("GCC unroll 16") for (std::size_t b = 0; b < kBases; ++b)++ base[b];
    }
  }
}

// Residual added, then kept within bounds.
HWY_INLINE V finished(const Bounds& bounded, V sum, const float* residual) {
  if (residual != nullptr) sum = hn::Add(sum, hn::LoadU(D(), residual));
  return bounded(sum);
}

// Outputs that do not fill their last vector; nothing past them is touched.
HWY_NOINLINE void store_some(const PixelRows& rows, const float* sum, std::size_t to) {
  for (std::size_t i = 0; i < rows.columns; ++i) {
    float value = sum[i];
    if (rows.residual != nullptr) value += rows.residual[to + i];
    value = value < rows.low ? rows.low : value;
    rows.y[to + i] = value > rows.high ? rows.high : value;
  }
}

template <std::size_t R, std::size_t N, bool paired>
void tile_of(const PixelRows& rows, std::size_t first, std::size_t at, const float* ahead) {
  using Pixels = TilePixels<R, paired>;
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[R][N];
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) {
    const V bias = hn::LoadU(d, rows.bias + n * lanes);
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) sum[r][n] = bias;
  }
  multiply<Pixels>(rows, rows.x + first * rows.x_row + at * rows.x_pixel, ahead, sum);
  const Bounds bounded(rows.low, rows.high);
  const std::size_t last = rows.columns - (N - 1) * lanes;  // outputs of the last vector
  const auto place = [&](std::size_t r, std::size_t n) {
    return (first + Pixels::row(r)) * rows.y_row + (at + Pixels::pixel(r)) * rows.y_pixel + n * lanes;
  };
  if (last == lanes && rows.residual != nullptr) {
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
      _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[r][n] =
          hn::Add(sum[r][n], hn::LoadU(d, rows.residual + place(r, n)));
    }
  }
  if (last == lanes) {
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
      _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n)
          hn::StoreU(bounded(sum[r][n]), d, rows.y + place(r, n));
    }
    return;
  }
  HWY_ALIGN float edge[R][N * hn::MaxLanes(d)];
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
    _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) hn::StoreU(sum[r][n], d, edge[r] + n * lanes);
  }
  for (std::size_t r = 0; r < R; ++r) store_some(rows, edge[r], place(r, 0));
}

template <std::size_t N>
void rows_of(const PixelRows& rows) {
  const std::size_t run = rows.segments.size() * rows.length;
  // The first two tiles fetch the panel that comes next, a line in each step; others their own, which is there.
  std::size_t fetched = rows.next == nullptr ? N * hn::Lanes(D()) / kLine : 0;
  const auto ahead = [&] {
    const bool more = fetched < N * hn::Lanes(D()) / kLine;
    return more ? rows.next + run * kLine * fetched++ : rows.w;
  };
  std::size_t row = 0;
  if constexpr (kPixels == 14) {
    if (rows.pixels == 7) {
      for (; row + 2 <= rows.rows; row += 2) tile_of<14, N, true>(rows, row, 0, ahead());
    }
    if (rows.pixels == 5) {
      for (; row + 2 <= rows.rows; row += 2) tile_of<10, N, true>(rows, row, 0, ahead());
    }
  }
  for (; row < rows.rows; ++row) {
    std::size_t at = 0;
    const auto step = [&](auto size) {
      for (; rows.pixels - at >= size; at += size) tile_of<size, N, false>(rows, row, at, ahead());
    };
    if constexpr (kPixels == 14) {
      // Sixteen go as two tiles of eight. Pixels 4 KiB apart share a set of the first-level cache, which holds fewer of
      // them than fourteen.
      while (rows.pixels - at >= 14 && rows.pixels - at != 16 && rows.x_pixel % 1024 != 0) {
        tile_of<14, N, false>(rows, row, at, ahead());
        at += 14;
      }
      step(std::integral_constant<std::size_t, 8>());
      step(std::integral_constant<std::size_t, 7>());
    } else {
      step(std::integral_constant<std::size_t, 6>());
    }
    step(std::integral_constant<std::size_t, 4>());
    step(std::integral_constant<std::size_t, 2>());
    step(std::integral_constant<std::size_t, 1>());
  }
}

void pixel_rows(const PixelRows& rows) {
  if (rows.wide) return rows_of<2>(rows);
  rows_of<1>(rows);
}

template <WindowFold F>
HWY_INLINE V fold(V sum, V x, V w) {
  if constexpr (F == WindowFold::convolve) return hn::MulAdd(w, x, sum);
  if constexpr (F == WindowFold::sum) return hn::Add(sum, x);
  // Not Max, whose answer for a NaN differs between instruction sets.
  if constexpr (F == WindowFold::max) return hn::IfThenElse(hn::Gt(x, sum), x, sum);
}

// R vectors of outputs at channel c: of neighbouring pixels, or (across) of neighbouring channels of one pixel.
template <WindowFold F, std::size_t R, bool across>
HWY_INLINE void window_tile(const WindowRow& row, std::size_t pixel, std::size_t c) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), x_step = across ? lanes : row.x_pixel, y_step = across ? lanes : row.y_pixel;
  V sum[R];
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) sum[r] =
      hn::LoadU(d, row.start + c + (across ? r * lanes : 0));
  const float* x = row.x + pixel * row.x_pixel + c;
  const float* w = row.w + c;
  for (std::size_t i = 0; i < row.taps_y; ++i) {
    for (std::size_t j = 0; j < row.taps_x; ++j) {
      const float* from = x + i * row.x_row + j * row.tap;
      const float* weight = w + i * row.w_row + j * row.w_tap;
      V factor = sum[0];
      if constexpr (F == WindowFold::convolve && !across) factor = hn::LoadU(d, weight);
      _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
        if constexpr (F == WindowFold::convolve && across) factor = hn::LoadU(d, weight + r * lanes);
        sum[r] = fold<F>(sum[r], hn::LoadU(d, from + r * x_step), factor);
      }
    }
  }
  const std::size_t at = pixel * row.y_pixel + c;
  const V scale = hn::Set(d, row.scale);
  const Bounds bounded(row.low, row.high);
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
    if constexpr (F == WindowFold::sum) sum[r] = hn::Mul(sum[r], scale);
    const float* residual = row.residual == nullptr ? nullptr : row.residual + at + r * y_step;
    hn::StoreU(finished(bounded, sum[r], residual), d, row.y + at + r * y_step);
  }
}

template <WindowFold F>
void window_row(const WindowRow& row) {
  const std::size_t lanes = hn::Lanes(D());
  if (row.pixels < 4) {
    for (std::size_t p = 0; p < row.pixels; ++p) {
      std::size_t c = 0;
      for (; c + 4 * lanes <= row.channels; c += 4 * lanes) window_tile<F, 4, true>(row, p, c);
      for (; c < row.channels; c += lanes) window_tile<F, 1, true>(row, p, std::min(c, row.channels - lanes));
    }
    return;
  }
  // The last vector of channels begins earlier rather than ending past them: what it computes again is the same.
  for (std::size_t c = 0; c < row.channels; c += lanes) {
    const std::size_t channel = std::min(c, row.channels - lanes);
    std::size_t p = 0;
    for (; p + 8 <= row.pixels; p += 8) window_tile<F, 8, false>(row, p, channel);
    for (; p + 4 <= row.pixels; p += 4) window_tile<F, 4, false>(row, p, channel);
    for (; p < row.pixels; ++p) window_tile<F, 1, false>(row, p, channel);
  }
}

void window_convolve(const WindowRow& row) {
  window_row<WindowFold::convolve>(row);
}
void window_max(const WindowRow& row) {
  window_row<WindowFold::max>(row);
}
void window_sum(const WindowRow& row) {
  window_row<WindowFold::sum>(row);
}
// Pixels that are computed together: each of their inputs is read once a row for all outputs that see it.
// SSE has too few registers for that, and a device's program is small.
constexpr std::size_t kTogether = HWY_TARGET == HWY_SSE4 ? 1 : 3;
constexpr bool kPairs = HWY_TARGET != HWY_SSE4;

// Where a row of inputs is read and one of outputs written, for one vector of channels.
struct DepthwisePlace {
  const float* x;  // the first column that the window of the next output sees, or would see
  float* y;
};

HWY_INLINE void put(const DepthwiseRows& rows, const Bounds& bounded, V sum, float* y) {
  hn::StoreU(finished(bounded, sum, rows.to_residual == 0 ? nullptr : y + rows.to_residual), D(), y);
}

// An output that sees the columns [F, L) of the window alone.
template <std::size_t R, std::size_t F, std::size_t L>
HWY_INLINE V edge_sum(const DepthwiseRows& rows, const V (&w)[R][3], V sum, const float* from) {
  const D d;
  _Pragma("GCC unroll 16") for (std::size_t i = 0; i < R; ++i, from += rows.x_row) {
    _Pragma("GCC unroll 16") for (std::size_t j = F; j < L; ++j) sum =
        hn::MulAdd(w[i][j], hn::LoadU(d, from + j * rows.x_pixel), sum);
  }
  return sum;
}

// Of a pair of pixels, one half sees the column that is outside for the other: `from` is where the pair's first one
// begins.
template <std::size_t R, bool left>
HWY_INLINE V pair_sum(const DepthwiseRows& rows, const V (&w)[R][3], V sum, const float* from) {
  const D d;
  const V zero = hn::Zero(d);
  _Pragma("GCC unroll 16") for (std::size_t i = 0; i < R; ++i, from += rows.x_row) {
    const V middle = hn::LoadU(d, from + rows.x_pixel);
    sum = hn::MulAdd(w[i][1], middle, sum);
    if constexpr (left) {
      sum = hn::MulAdd(hn::ConcatUpperLower(d, w[i][0], zero), hn::ConcatLowerLower(d, middle, zero), sum);
      sum = hn::MulAdd(w[i][2], hn::LoadU(d, from + 2 * rows.x_pixel), sum);
    } else {
      sum = hn::MulAdd(w[i][0], hn::LoadU(d, from), sum);
      sum = hn::MulAdd(hn::ConcatUpperLower(d, zero, w[i][2]), hn::ConcatUpperUpper(d, zero, middle), sum);
    }
  }
  return sum;
}

// Outputs for which the first column of the window is outside (left), or the last.
template <std::size_t R, std::size_t S, bool pairs, bool left>
HWY_INLINE void edge_pixels(const DepthwiseRows& rows, const Bounds& bounded, const V (&w)[R][3], V start,
                            std::size_t count, DepthwisePlace& at) {
  for (; count > 0; --count, at.x += S * rows.x_pixel, at.y += rows.channels) {
    if constexpr (pairs) {
      put(rows, bounded, pair_sum<R, left>(rows, w, start, at.x), at.y);
    } else {
      put(rows, bounded, edge_sum < R, left ? 1 : 0, left ? 3 : 2 > (rows, w, start, at.x), at.y);
    }
  }
}

// As many times P outputs as fit into `count`, which is what is left of them afterwards. Addresses are made opaque to
// the compiler, which would otherwise keep one for every load and spill most of them.
template <std::size_t R, std::size_t S, std::size_t P>
HWY_INLINE void inner_pixels(const DepthwiseRows& rows, const Bounds& bounded, const V (&w)[R][3], V start,
                             std::size_t& count, DepthwisePlace& at) {
  const D d;
  constexpr std::size_t kColumns = (P - 1) * S + 3, kBases = (kColumns + 2) / 3;
  const std::size_t pixel = rows.x_pixel;
  for (; count >= P; count -= P) {
    V sum[P];
    _Pragma("GCC unroll 16") for (std::size_t p = 0; p < P; ++p) sum[p] = start;
    const float* line = at.x;
    _Pragma("GCC unroll 16") for (std::size_t i = 0; i < R; ++i, line += rows.x_row) {
      const float* base[kBases];
      _Pragma("GCC unroll 16") for (std::size_t b = 0; b < kBases; ++b) {
        base[b] = b == 0 ? line : base[b - 1] + 3 * pixel;
        asm("" : "+r"(base[b]));
      }
      _Pragma("GCC unroll 16") for (std::size_t k = 0; k < kColumns; ++k) {
        const V x = hn::LoadU(d, base[k / 3] + k % 3 * pixel);
        _Pragma("GCC unroll 16") for (std::size_t j = 0; j < 3; ++j) {
          if (k >= j && (k - j) % S == 0 && (k - j) / S < P)
            sum[(k - j) / S] = hn::MulAdd(w[i][j], x, sum[(k - j) / S]);
        }
      }
    }
    _Pragma("GCC unroll 16") for (std::size_t p = 0; p < P; ++p, at.y += rows.channels)
        put(rows, bounded, sum[p], at.y);
    at.x += P * S * pixel;
  }
}

template <std::size_t R, std::size_t S, bool pairs>
void depthwise_of(const DepthwiseRows& given) {
  const DepthwiseRows rows = given;  // what is stored may be anywhere but here
  const D d;
  const std::size_t lanes = hn::Lanes(d), inner = rows.after - rows.inner;
  const Bounds bounded(rows.low, rows.high);
  for (std::size_t next = 0; next < rows.channels; next += lanes) {
    const std::size_t c = std::min(next, rows.channels - lanes);
    V w[R][3];
    _Pragma("GCC unroll 16") for (std::size_t i = 0; i < R; ++i) {
      _Pragma("GCC unroll 16") for (std::size_t j = 0; j < 3; ++j) w[i][j] =
          hn::LoadU(d, rows.w + (i * 3 + j) * rows.channels + c);
    }
    const V start = hn::LoadU(d, rows.start + c);
    for (std::size_t row = 0; row < rows.rows; ++row) {
      DepthwisePlace at{rows.x + row * rows.x_next + c - rows.pad * rows.x_pixel, rows.y + row * rows.y_next + c};
      std::size_t count = inner;
      edge_pixels<R, S, pairs, true>(rows, bounded, w, start, rows.inner, at);
      inner_pixels<R, S, kTogether>(rows, bounded, w, start, count, at);
      if constexpr (kTogether > 1) inner_pixels<R, S, 1>(rows, bounded, w, start, count, at);
      edge_pixels<R, S, pairs, false>(rows, bounded, w, start, rows.pixels - rows.after, at);
    }
  }
}

void depthwise_rows(const DepthwiseRows& rows) {
  if constexpr (kPairs) {
    if (rows.pairs) return rows.taps_y == 3 ? depthwise_of<3, 2, true>(rows) : depthwise_of<2, 2, true>(rows);
  }
  if (rows.stride == 1) return rows.taps_y == 3 ? depthwise_of<3, 1, false>(rows) : depthwise_of<2, 1, false>(rows);
  return rows.taps_y == 3 ? depthwise_of<3, 2, false>(rows) : depthwise_of<2, 2, false>(rows);
}
std::size_t lanes_of() {
  return hn::Lanes(D());
}
bool takes_pairs() {
  return kPairs;
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(panel_width);
HWY_EXPORT(pixel_rows);
HWY_EXPORT(lanes_of);
HWY_EXPORT(takes_pairs);
HWY_EXPORT(depthwise_rows);
HWY_EXPORT(window_convolve);
HWY_EXPORT(window_max);
HWY_EXPORT(window_sum);

std::size_t pixel_panel_width() noexcept {
  return HWY_DYNAMIC_DISPATCH(panel_width)();
}
std::size_t pixel_lanes() noexcept {
  return HWY_DYNAMIC_DISPATCH(lanes_of)();
}
bool depthwise_takes_pairs() noexcept {
  return HWY_DYNAMIC_DISPATCH(takes_pairs)();
}
void run_pixel_rows(const PixelRows& rows) {
  HWY_DYNAMIC_DISPATCH(pixel_rows)(rows);
}
void run_depthwise_rows(const DepthwiseRows& rows) {
  HWY_DYNAMIC_DISPATCH(depthwise_rows)(rows);
}
void run_window_row(WindowFold fold, const WindowRow& row) {
  switch (fold) {
    case WindowFold::convolve:
      return HWY_DYNAMIC_DISPATCH(window_convolve)(row);
    case WindowFold::max:
      return HWY_DYNAMIC_DISPATCH(window_max)(row);
    case WindowFold::sum:
      return HWY_DYNAMIC_DISPATCH(window_sum)(row);
  }
}

}  // namespace skerry::kernels
#endif
