// Compiled once for every instruction set the CPU may have; the best one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/unary_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "kernels/tensor/functions_simd.hpp"
//
#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/unary.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
HWY_INLINE V hard_sigmoid(D d, V x, V a, V b) {
  return hn::Max(hn::Zero(d), hn::Min(hn::Set(d, 1.0F), hn::MulAdd(a, x, b)));
}

template <Unary F>
HWY_INLINE V apply(D d, V x, V a, V b) {
  const V zero = hn::Zero(d);
  const V half = hn::Set(d, 0.5F);
  const V one = hn::Set(d, 1.0F);
  if constexpr (F == Unary::abs_) return hn::Abs(x);
  if constexpr (F == Unary::ceil_) return hn::Ceil(x);
  if constexpr (F == Unary::erf_) return erf(d, x);
  if constexpr (F == Unary::exp_) return exp(d, x);
  if constexpr (F == Unary::floor_) return hn::Floor(x);
  if constexpr (F == Unary::gelu) {
    return hn::Mul(hn::Mul(half, x), hn::Add(one, erf(d, hn::Mul(x, hn::Set(d, 0.70710678F)))));
  }
  if constexpr (F == Unary::gelu_tanh) {
    const V cubic = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715F), x);
    return hn::Mul(hn::Mul(half, x), hn::Add(one, tanh(d, hn::Mul(cubic, hn::Set(d, 0.79788456F)))));
  }
  if constexpr (F == Unary::hard_sigmoid) return hard_sigmoid(d, x, a, b);
  if constexpr (F == Unary::hard_swish) return hn::Mul(x, hard_sigmoid(d, x, hn::Set(d, 1.0F / 6.0F), half));
  if constexpr (F == Unary::leaky_relu) return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(a, x), x);
  if constexpr (F == Unary::neg) return hn::Neg(x);
  if constexpr (F == Unary::reciprocal) return hn::Div(one, x);
  if constexpr (F == Unary::relu) return hn::IfThenElse(hn::Lt(x, zero), zero, x);
  if constexpr (F == Unary::round_) return hn::Round(x);
  if constexpr (F == Unary::sigmoid) return sigmoid(d, x);
  if constexpr (F == Unary::sqrt_) return hn::Sqrt(x);
  if constexpr (F == Unary::tanh_) return tanh(d, x);
}

template <Unary F>
void run(const float* x, float* y, std::size_t count, float fa, float fb) {
  const D d;
  const V a = hn::Set(d, fa);
  const V b = hn::Set(d, fb);
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(apply<F>(d, hn::LoadU(d, x + i), a, b), d, y + i);
  if (i == count) return;
  // The tail goes through the same arithmetic, so a result does not depend on where its element stands.
  HWY_ALIGN float buffer[hn::MaxLanes(d)] = {};
  for (std::size_t k = i; k < count; ++k) buffer[k - i] = x[k];
  hn::Store(apply<F>(d, hn::Load(d, buffer), a, b), d, buffer);
  for (std::size_t k = i; k < count; ++k) y[k] = buffer[k - i];
}

void piece(Unary f, const float* x, float* y, std::size_t count, float a, float b) {
  switch (f) {
#define SKERRY_CASE(name) \
  case Unary::name:       \
    return run<Unary::name>(x, y, count, a, b);
    SKERRY_CASE(abs_)
    SKERRY_CASE(ceil_)
    SKERRY_CASE(erf_)
    SKERRY_CASE(exp_)
    SKERRY_CASE(floor_)
    SKERRY_CASE(gelu)
    SKERRY_CASE(gelu_tanh)
    SKERRY_CASE(hard_sigmoid)
    SKERRY_CASE(hard_swish)
    SKERRY_CASE(leaky_relu)
    SKERRY_CASE(neg)
    SKERRY_CASE(reciprocal)
    SKERRY_CASE(relu)
    SKERRY_CASE(round_)
    SKERRY_CASE(sigmoid)
    SKERRY_CASE(sqrt_)
    SKERRY_CASE(tanh_)
#undef SKERRY_CASE
    default:  // records of other functions list no kernel unary_f32
      return;
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(piece);

void unary_f32(Unary f, UnaryParameters p, std::span<const float> x, std::span<float> y) {
  const auto function = HWY_DYNAMIC_DISPATCH(piece);
  base::parallel_for(0, x.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    function(f, x.data() + begin, y.data() + begin, end - begin, static_cast<float>(p.a), static_cast<float>(p.b));
  });
}

void unary_f32_run(Unary f, UnaryParameters p, const float* x, float* y, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(piece)(f, x, y, count, static_cast<float>(p.a), static_cast<float>(p.b));
}

}  // namespace skerry::kernels
#endif
