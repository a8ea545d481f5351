// First layers: x stands with channels first, y with channels last, and there are fewer outputs than half a vector
// holds.
//
// Vectors hold neighbouring pixels of one output (`#` is one vector), so that none of their lanes is idle:
//
//     x  # (every second number at stride 2)       y of output 0  #
//     w  one number for each output                  output 1     #      one step: y += w x for all outputs
//                                                    ...
//
// and are turned when they are done.

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

// Vectors of sixteen; y has as many numbers in a pixel as there are outputs.
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

// Of four outputs: quads[i] holds, block by block b, all of pixel 4 b + i.
HWY_INLINE void turn_blocks(const V* sum, V (&quads)[kBlock]) {
  const D d;
  const hn::Repartition<double, D> pairs;
  const auto low = [&](V a, V b) { return hn::BitCast(pairs, hn::InterleaveLower(d, a, b)); };
  const auto high = [&](V a, V b) { return hn::BitCast(pairs, hn::InterleaveUpper(d, a, b)); };
  const auto a = low(sum[0], sum[1]), b = low(sum[2], sum[3]), e = high(sum[0], sum[1]), f = high(sum[2], sum[3]);
  quads[0] = hn::BitCast(d, hn::InterleaveLower(pairs, a, b));
  quads[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, a, b));
  quads[2] = hn::BitCast(d, hn::InterleaveLower(pairs, e, f));
  quads[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, e, f));
}

// to[p * kOutputs + o] = sum[o] for the pixels p of a vector: blocks of two pixels and both halves of the outputs are
// turned against each other, four by four.
HWY_INLINE void store_turned(const V (&sum)[kOutputs], float* to) {
  const D d;
  V first[kBlock], second[kBlock];
  turn_blocks(sum, first);
  turn_blocks(sum + kBlock, second);
  _Pragma("GCC unroll 2") for (std::size_t i = 0; i < kBlock; i += 2) {
    const V a = first[i], b = second[i], c = first[i + 1], e = second[i + 1];
    const V even = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a),
            odd = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a));
    const V even2 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(e), c),
            odd2 = hn::OddEvenBlocks(e, hn::SwapAdjacentBlocks(c));
    float* const at = to + i * kOutputs;
    hn::StoreU(hn::ConcatLowerLower(d, even2, even), d, at);
    hn::StoreU(hn::ConcatLowerLower(d, odd2, odd), d, at + kBlock * kOutputs);
    hn::StoreU(hn::ConcatUpperUpper(d, even2, even), d, at + 2 * kBlock * kOutputs);
    hn::StoreU(hn::ConcatUpperUpper(d, odd2, odd), d, at + 3 * kBlock * kOutputs);
  }
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
    store_turned(sum[r], rows.y + (first + r) * rows.y_row + at * kOutputs);
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
