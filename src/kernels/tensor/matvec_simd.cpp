// One row times a packed right side, one source for every instruction set, chosen at run time.
//
// Weights are read once, from the second-level cache or beyond: three vectors of columns run side by side at four
// depths, a quarter of the piece apart, so that no addition waits for another one. Four streams come 5 % faster than
// one.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/matvec_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "base/threads.hpp"
#include "kernels/tensor/bounds_simd.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/matvec.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr std::size_t kSums = 4;

// N vectors of columns of one panel; start, residual and y are those of the first one.
template <std::size_t N>
HWY_INLINE void vectors_of(const MatVec& p, std::size_t column, const float* start, const float* residual, float* y) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), panel = kTileVectors * lanes;
  const std::size_t first = column / panel * panel, row = std::min(panel, p.width - first);
  V sum[kSums][N];
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) {
    _Pragma("GCC unroll 16") for (std::size_t s = 0; s < kSums; ++s) sum[s][n] = hn::Zero(d);
    if (start != nullptr) sum[0][n] = hn::LoadU(d, start + n * lanes);
  }
  for (std::size_t begin = 0; begin < p.depth; begin += kGemmDepth) {
    const std::size_t depth = std::min(kGemmDepth, p.depth - begin);
    const float* HWY_RESTRICT b = p.right + begin * p.width + first * depth + (column - first);
    const float* HWY_RESTRICT x = p.x + begin;
    const std::size_t quarter = depth / kSums;
    for (std::size_t i = 0; i < quarter; ++i, b += row) {
      _Pragma("GCC unroll 16") for (std::size_t s = 0; s < kSums; ++s) {
        const V left = hn::Set(d, x[s * quarter + i]);
        _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[s][n] =
            hn::MulAdd(left, hn::LoadU(d, b + s * quarter * row + n * lanes), sum[s][n]);
      }
    }
    std::size_t k = kSums * quarter;
    b += (k - quarter) * row;
    _Pragma("GCC unroll 1") for (; k < depth; ++k, b += row) {
      const V left = hn::Set(d, x[k]);
      _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[0][n] =
          hn::MulAdd(left, hn::LoadU(d, b + n * lanes), sum[0][n]);
    }
  }
  const Bounds bounded(p.low, p.high);
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) {
    V all = hn::Add(hn::Add(sum[0][n], sum[1][n]), hn::Add(sum[2][n], sum[3][n]));
    if (residual != nullptr) all = hn::Add(all, hn::LoadU(d, residual + n * lanes));
    hn::StoreU(bounded(all), d, y + n * lanes);
  }
}

template <std::size_t N>
void columns_of(const MatVec& p, std::size_t column) {
  constexpr std::size_t kMost = N * hn::MaxLanes(D());
  const auto at = [column](const float* from) { return from == nullptr ? nullptr : from + column; };
  if (column + N * hn::Lanes(D()) <= p.columns)
    return vectors_of<N>(p, column, at(p.start), at(p.residual), p.y + column);
  // What is the caller's ends before the last vector does.
  const std::size_t count = p.columns - column;
  HWY_ALIGN float start[kMost] = {}, residual[kMost] = {}, y[kMost];
  if (p.start != nullptr) std::copy_n(p.start + column, count, start);
  if (p.residual != nullptr) std::copy_n(p.residual + column, count, residual);
  vectors_of<N>(p, column, start, residual, y);
  std::copy_n(y, count, p.y + column);
}

void vectors(const MatVec& p, std::size_t first, std::size_t last) {
  const std::size_t lanes = hn::Lanes(D());
  while (first < last) {
    if (first % kTileVectors == 0 && last - first >= kTileVectors) {
      columns_of<kTileVectors>(p, first * lanes);
      first += kTileVectors;
    } else {
      columns_of<1>(p, first++ * lanes);
    }
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(vectors);

void run_matvec(const MatVec& product, std::size_t first, std::size_t last) {
  HWY_DYNAMIC_DISPATCH(vectors)(product, first, last);
}

void matvec(const MatVec& product) {
  // Another thread needs a quarter of a microsecond to come; meanwhile this one reads so much.
  constexpr std::size_t kLeastBytes = std::size_t{24} << 10;
  const std::size_t lanes = gemm_tile().columns / kTileVectors, count = (product.columns + lanes - 1) / lanes;
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  const std::size_t useful = std::clamp<std::size_t>(product.depth * product.width * sizeof(float) / kLeastBytes, 1,
                                                     std::min(threads, std::max<std::size_t>(count, 1)));
  base::parallel_for(0, count, (count + useful - 1) / useful,
                     [&product](std::size_t first, std::size_t last) { run_matvec(product, first, last); });
}

}  // namespace skerry::kernels
#endif
