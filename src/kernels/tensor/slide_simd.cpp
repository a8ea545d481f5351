// The arithmetic of slide.hpp: one source for every instruction set.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/slide_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/tensor/slide_loops.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

enum class Slide { convolve, max, sum };

template <Slide F>
HWY_INLINE V step(V sum, V x, V w) {
  if constexpr (F == Slide::convolve) return hn::MulAdd(w, x, sum);
  if constexpr (F == Slide::sum) return hn::Add(sum, x);
  // Not Max, whose answer for a NaN differs between instruction sets.
  if constexpr (F == Slide::max) return hn::IfThenElse(hn::Gt(x, sum), x, sum);
}

// Four vectors of outputs at a time share each weight, and hide the latency of an addition.
template <Slide F>
void slide(const SlideLoop& loop) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const V start = hn::Set(d, loop.start);
  for (std::size_t i = 0; i < loop.count; i += 4 * lanes) {
    V s0 = start, s1 = start, s2 = start, s3 = start;
    for (std::size_t tap = 0; tap < loop.taps.size(); ++tap) {
      const float* x = loop.x + loop.taps[tap] + i;
      const V w = F == Slide::convolve ? hn::Set(d, loop.w[tap]) : start;
      s0 = step<F>(s0, hn::LoadU(d, x), w);
      s1 = step<F>(s1, hn::LoadU(d, x + lanes), w);
      s2 = step<F>(s2, hn::LoadU(d, x + 2 * lanes), w);
      s3 = step<F>(s3, hn::LoadU(d, x + 3 * lanes), w);
    }
    hn::StoreU(s0, d, loop.y + i);
    hn::StoreU(s1, d, loop.y + i + lanes);
    hn::StoreU(s2, d, loop.y + i + 2 * lanes);
    hn::StoreU(s3, d, loop.y + i + 3 * lanes);
  }
}

void convolve_loop(const SlideLoop& loop) {
  slide<Slide::convolve>(loop);
}
void max_loop(const SlideLoop& loop) {
  slide<Slide::max>(loop);
}
void sum_loop(const SlideLoop& loop) {
  slide<Slide::sum>(loop);
}

// y[i] = x[2 i]; reads no element past x[2 count - 2].
void every_other(const float* x, std::size_t count, float* y) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  for (; i + lanes < count; i += lanes) {
    const float* from = x + 2 * i;
    hn::StoreU(hn::ConcatEven(d, hn::LoadU(d, from + lanes), hn::LoadU(d, from)), d, y + i);
  }
#endif
  for (; i < count; ++i) y[i] = x[2 * i];
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(convolve_loop);
HWY_EXPORT(max_loop);
HWY_EXPORT(sum_loop);
HWY_EXPORT(every_other);

void slide_convolve(const SlideLoop& loop) {
  HWY_DYNAMIC_DISPATCH(convolve_loop)(loop);
}
void slide_max(const SlideLoop& loop) {
  HWY_DYNAMIC_DISPATCH(max_loop)(loop);
}
void slide_sum(const SlideLoop& loop) {
  HWY_DYNAMIC_DISPATCH(sum_loop)(loop);
}
void take_every_other(const float* x, std::size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(every_other)(x, count, y);
}

}  // namespace skerry::kernels
#endif
