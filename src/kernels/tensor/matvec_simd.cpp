// One row times a packed right side, one source for every instruction set, chosen at run time.
//
// Weights are read once, from the second-level cache or beyond: three vectors of columns and four of depths run side by
// side, so that no addition waits for another one and the panel streams by in the order in which it lies.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/matvec_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/matvec.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr std::size_t kSums = 4;

// Some numbers as a vector; zeros past the last one.
HWY_INLINE V load_some(const float* from, std::size_t count) {
  const D d;
  if (count >= hn::Lanes(d)) return hn::LoadU(d, from);
  HWY_ALIGN float edge[hn::MaxLanes(d)] = {};
  std::copy_n(from, count, edge);
  return hn::Load(d, edge);
}

// N vectors of columns of one panel.
template <std::size_t N>
HWY_INLINE void vectors_of(const MatVec& p, std::size_t column) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), panel = kTileVectors * lanes;
  const std::size_t first = column / panel * panel, row = std::min(panel, p.width - first);
  const auto wanted = [&](std::size_t n) { return std::min(lanes, p.columns - column - n * lanes); };
  V sum[kSums][N];
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) {
    sum[0][n] = p.start == nullptr ? hn::Zero(d) : load_some(p.start + column + n * lanes, wanted(n));
    _Pragma("GCC unroll 16") for (std::size_t s = 1; s < kSums; ++s) sum[s][n] = hn::Zero(d);
  }
  for (std::size_t begin = 0; begin < p.depth; begin += kGemmDepth) {
    const std::size_t depth = std::min(kGemmDepth, p.depth - begin);
    const float* HWY_RESTRICT b = p.right + begin * p.width + first * depth + (column - first);
    const float* HWY_RESTRICT x = p.x + begin;
    std::size_t k = 0;
    for (; k + kSums <= depth; k += kSums) {
      _Pragma("GCC unroll 16") for (std::size_t s = 0; s < kSums; ++s) {
        const V left = hn::Set(d, x[k + s]);
        _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[s][n] =
            hn::MulAdd(left, hn::LoadU(d, b + n * lanes), sum[s][n]);
        b += row;
      }
    }
    for (; k < depth; ++k, b += row) {
      const V left = hn::Set(d, x[k]);
      _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[0][n] =
          hn::MulAdd(left, hn::LoadU(d, b + n * lanes), sum[0][n]);
    }
  }
  const V low = hn::Set(d, p.low), high = hn::Set(d, p.high);
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) {
    V all = hn::Add(hn::Add(sum[0][n], sum[1][n]), hn::Add(sum[2][n], sum[3][n]));
    const std::size_t at = column + n * lanes;
    if (p.residual != nullptr) all = hn::Add(all, load_some(p.residual + at, wanted(n)));
    // A not-a-number stays, as comparisons with it are false.
    all = hn::IfThenElse(hn::Lt(all, low), low, all);
    all = hn::IfThenElse(hn::Gt(all, high), high, all);
    if (wanted(n) == lanes) {
      hn::StoreU(all, d, p.y + at);
    } else {
      HWY_ALIGN float edge[hn::MaxLanes(d)];
      hn::Store(all, d, edge);
      std::copy_n(edge, wanted(n), p.y + at);
    }
  }
}

void vectors(const MatVec& p, std::size_t first, std::size_t last) {
  const std::size_t lanes = hn::Lanes(D());
  while (first < last) {
    const std::size_t count = std::min(last - first, kTileVectors - first % kTileVectors);
    const std::size_t column = first * lanes;
    if (count == 3) vectors_of<3>(p, column);
    if (count == 2) vectors_of<2>(p, column);
    if (count == 1) vectors_of<1>(p, column);
    first += count;
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
