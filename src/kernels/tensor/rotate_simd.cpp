// Compiled once for every instruction set the CPU may have.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/rotate_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "kernels/tensor/rotate.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE std::size_t rotate_from(D d, std::size_t k, const float* x, const float* cosines, const float* sines,
                                   std::size_t pairs, bool interleaved, float* y) {
  for (; k + hn::Lanes(d) <= pairs; k += hn::Lanes(d)) {
    const auto c = hn::LoadU(d, cosines + k), s = hn::LoadU(d, sines + k);
    auto a = hn::Zero(d), b = a;
    if (interleaved) {
      hn::LoadInterleaved2(d, x + 2 * k, a, b);
    } else {
      a = hn::LoadU(d, x + k);
      b = hn::LoadU(d, x + k + pairs);
    }
    const auto first = hn::Sub(hn::Mul(c, a), hn::Mul(s, b)), second = hn::Add(hn::Mul(s, a), hn::Mul(c, b));
    if (interleaved) {
      hn::StoreInterleaved2(first, second, d, y + 2 * k);
    } else {
      hn::StoreU(first, d, y + k);
      hn::StoreU(second, d, y + k + pairs);
    }
  }
  return k;
}

void rotate(const float* x, const float* cosines, const float* sines, std::size_t pairs, bool interleaved, float* y) {
  std::size_t k = rotate_from(hn::ScalableTag<float>(), 0, x, cosines, sines, pairs, interleaved, y);
  for (; k < pairs; ++k) {
    const std::size_t at = interleaved ? 2 * k : k, other = interleaved ? at + 1 : k + pairs;
    const float a = x[at], b = x[other];
    y[at] = cosines[k] * a - sines[k] * b;
    y[other] = sines[k] * a + cosines[k] * b;
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(rotate);

void rotate_pairs_f32(const float* x, const float* cosines, const float* sines, std::size_t pairs, bool interleaved,
                      float* y) {
  HWY_DYNAMIC_DISPATCH(rotate)(x, cosines, sines, pairs, interleaved, y);
}

}  // namespace skerry::kernels
#endif
