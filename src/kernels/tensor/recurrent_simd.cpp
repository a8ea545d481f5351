// A row times a matrix in vectors: what a recurrent step is made of. Compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/recurrent_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include <cstddef>

#include "kernels/tensor/recurrent.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sums of N vectors of columns stay in registers over all rows.
template <std::size_t N>
HWY_INLINE void columns_of(const float* x, const float* a, std::size_t rows, std::size_t stride, float* out) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[N];
  _Pragma("GCC unroll 8") for (std::size_t n = 0; n < N; ++n) sum[n] = hn::LoadU(d, out + n * lanes);
  for (std::size_t k = 0; k < rows; ++k) {
    const auto factor = hn::Set(d, x[k]);
    _Pragma("GCC unroll 8") for (std::size_t n = 0; n < N; ++n) sum[n] =
        hn::MulAdd(factor, hn::LoadU(d, a + k * stride + n * lanes), sum[n]);
  }
  _Pragma("GCC unroll 8") for (std::size_t n = 0; n < N; ++n) hn::StoreU(sum[n], d, out + n * lanes);
}

void row_times_matrix(const float* x, const float* a, std::size_t rows, std::size_t columns, std::size_t stride,
                      float* out) {
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  std::size_t j = 0;
  for (; j + 8 * lanes <= columns; j += 8 * lanes) columns_of<8>(x, a + j, rows, stride, out + j);
  for (; j + lanes <= columns; j += lanes) columns_of<1>(x, a + j, rows, stride, out + j);
  for (; j < columns; ++j) {
    float sum = out[j];
    for (std::size_t k = 0; k < rows; ++k) sum += x[k] * a[k * stride + j];
    out[j] = sum;
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(row_times_matrix);

void add_row_times_matrix(const float* x, const float* a, std::size_t rows, std::size_t columns, std::size_t stride,
                          float* out) {
  HWY_DYNAMIC_DISPATCH(row_times_matrix)(x, a, rows, columns, stride, out);
}

}  // namespace skerry::kernels
#endif
