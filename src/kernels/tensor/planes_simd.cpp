// First layers: x stands with channels first, y with channels last, and there are fewer outputs than half a vector
// holds.
//
// Vectors hold neighbouring pixels of one output (`#` is one vector), so that none of their lanes is idle:
//
//     x  # (every second number at stride 2)       y of output 0  #
//     w  one number for each output                  output 1     #      one step: y += w x for all outputs
//                                                    ...
//
// and are turned when they are done, four outputs by four pixels at a time.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/planes_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/tensor/bounds_simd.hpp"
#include "kernels/tensor/pixels_loops.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Numbers in a block, within which vectors are turned; and outputs that are computed, half of the longest vector.
constexpr std::size_t kBlock = 4, kOutputs = 8;

bool takes_planes(std::size_t outputs, std::size_t pixels, std::size_t stride) {
  const std::size_t lanes = hn::Lanes(D());
  return outputs == kOutputs && 2 * outputs <= lanes && pixels >= lanes && (stride == 1 || stride == 2);
}

#if HWY_MAX_BYTES >= 64
template <std::size_t S>
HWY_INLINE V neighbours(const float* from) {
  const D d;
  if constexpr (S == 1) return hn::LoadU(d, from);
  return hn::ConcatEven(d, hn::LoadU(d, from + hn::Lanes(d)), hn::LoadU(d, from));
}

// sum[o] of four outputs: to[p * apart + o] for the pixels p of a vector.
HWY_INLINE void store_turned(const V* sum, float* to, std::size_t apart) {
  const D d;
  const hn::Repartition<double, D> pairs;
  const hn::FixedTag<float, kBlock> block;
  const auto low = [&](V a, V b) { return hn::BitCast(pairs, hn::InterleaveLower(d, a, b)); };
  const auto high = [&](V a, V b) { return hn::BitCast(pairs, hn::InterleaveUpper(d, a, b)); };
  const auto a = low(sum[0], sum[1]), b = low(sum[2], sum[3]), e = high(sum[0], sum[1]), f = high(sum[2], sum[3]);
  HWY_ALIGN float pixels[kBlock][hn::MaxLanes(d)];
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, a, b)), d, pixels[0]);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, a, b)), d, pixels[1]);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, e, f)), d, pixels[2]);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, e, f)), d, pixels[3]);
  for (std::size_t p = 0; p < hn::Lanes(d); ++p)
    hn::StoreU(hn::Load(block, pixels[p % kBlock] + p / kBlock * kBlock), block, to + p * apart);
}

// A vector of pixels of each of R rows and all outputs.
template <std::size_t S, std::size_t R>
HWY_INLINE void planes_tile(const PixelRows& rows, std::size_t first, std::size_t at) {
  const D d;
  V sum[R][kOutputs];
  _Pragma("GCC unroll 16") for (std::size_t o = 0; o < kOutputs; ++o) {
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) sum[r][o] = hn::Set(d, rows.bias[o]);
  }
  const float* x = rows.x + first * rows.x_row + at * S;
  const float* HWY_RESTRICT w = rows.w;
  for (const std::size_t segment : rows.segments) {
    V seen[R];
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) seen[r] = neighbours<S>(x + r * rows.x_row + segment);
    _Pragma("GCC unroll 16") for (std::size_t o = 0; o < kOutputs; ++o) {
      const V weight = hn::Set(d, w[o]);
      _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) sum[r][o] = hn::MulAdd(weight, seen[r], sum[r][o]);
    }
    w += kOutputs;
  }
  const Bounds bounded(rows.low, rows.high);
  for (std::size_t r = 0; r < R; ++r) {
    _Pragma("GCC unroll 16") for (std::size_t o = 0; o < kOutputs; ++o) sum[r][o] = bounded(sum[r][o]);
    float* y = rows.y + (first + r) * rows.y_row + at * rows.y_pixel;
    _Pragma("GCC unroll 16") for (std::size_t o = 0; o < kOutputs; o += kBlock)
        store_turned(sum[r] + o, y + o, rows.y_pixel);
  }
}

template <std::size_t S>
void planes_of(const PixelRows& rows) {
  const std::size_t lanes = hn::Lanes(D());
  // The last vector begins earlier rather than ending past the row: what it computes again is the same.
  for (std::size_t row = 0; row < rows.rows;) {
    const bool two = row + 2 <= rows.rows;
    for (std::size_t p = 0; p < rows.pixels; p += lanes) {
      const std::size_t at = std::min(p, rows.pixels - lanes);
      two ? planes_tile<S, 2>(rows, row, at) : planes_tile<S, 1>(rows, row, at);
    }
    row += two ? 2 : 1;
  }
}

void plane_rows(const PixelRows& rows) {
  rows.x_pixel == 1 ? planes_of<1>(rows) : planes_of<2>(rows);
}
#else
void plane_rows(const PixelRows&) {}  // takes_planes() is false
#endif

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(takes_planes);
HWY_EXPORT(plane_rows);

bool takes_plane_rows(std::size_t outputs, std::size_t pixels, std::size_t stride) noexcept {
  return HWY_DYNAMIC_DISPATCH(takes_planes)(outputs, pixels, stride);
}
void run_plane_rows(const PixelRows& rows) {
  HWY_DYNAMIC_DISPATCH(plane_rows)(rows);
}

}  // namespace skerry::kernels
#endif
