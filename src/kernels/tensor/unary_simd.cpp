// Compiled once for every instruction set the CPU may have; the best one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/unary_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include <hwy/contrib/math/math-inl.h>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/unary.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// erf(x) for |x| < 1 by the odd Taylor-like minimax series of Cephes' erff; beyond, 1 - exp(-x^2) * P(1/|x|) by
// Abramowitz & Stegun 7.1.26 is too coarse (1.5e-7 absolute is not relative), but there erf is close to 1, so absolute
// error is relative error.
HWY_INLINE V erf(D d, V x) {
  const V ax = hn::Min(hn::Abs(x), hn::Set(d, 6.0F));
  const V z = hn::Mul(ax, ax);
  V p = hn::Set(d, 7.853861353153693e-5F);
  p = hn::MulAdd(p, z, hn::Set(d, -8.010193625184903e-4F));
  p = hn::MulAdd(p, z, hn::Set(d, 5.188327685732524e-3F));
  p = hn::MulAdd(p, z, hn::Set(d, -2.685381193529856e-2F));
  p = hn::MulAdd(p, z, hn::Set(d, 1.128358514861418e-1F));
  p = hn::MulAdd(p, z, hn::Set(d, -3.761262582423300e-1F));
  p = hn::MulAdd(p, z, hn::Set(d, 1.128379165726710e0F));
  const V small = hn::Mul(p, ax);
  const V t = hn::Div(hn::Set(d, 1.0F), hn::MulAdd(ax, hn::Set(d, 0.3275911F), hn::Set(d, 1.0F)));
  V q = hn::Set(d, 1.061405429F);
  q = hn::MulAdd(q, t, hn::Set(d, -1.453152027F));
  q = hn::MulAdd(q, t, hn::Set(d, 1.421413741F));
  q = hn::MulAdd(q, t, hn::Set(d, -0.284496736F));
  q = hn::MulAdd(q, t, hn::Set(d, 0.254829592F));
  const V large = hn::NegMulAdd(hn::Mul(q, t), hn::Exp(d, hn::Neg(z)), hn::Set(d, 1.0F));
  const V magnitude = hn::IfThenElse(hn::Lt(ax, hn::Set(d, 1.0F)), small, large);
  const V out = hn::CopySign(magnitude, x);
  return hn::IfThenElse(hn::IsNaN(x), x, out);
}

// NaN and infinities are Exp's weak spots: keep them out of its range reduction.
HWY_INLINE V exp(D d, V x) {
  const V clamped = hn::Min(hn::Max(x, hn::Set(d, -104.0F)), hn::Set(d, 88.72283F));
  const V y = hn::Exp(d, clamped);
  const V high = hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.72283F)), hn::Set(d, HUGE_VALF), y);
  return hn::IfThenElse(hn::IsNaN(x), x, high);
}

HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

// tanh x = x P(x^2) near 0, where 1 - 2/(e^2x + 1) would cancel.
HWY_INLINE V tanh(D d, V x) {
  const V ax = hn::Abs(x);
  const V one = hn::Set(d, 1.0F);
  const V z = hn::Mul(x, x);
  V p = hn::Set(d, -5.70498872745e-3F);
  p = hn::MulAdd(p, z, hn::Set(d, 2.06390887954e-2F));
  p = hn::MulAdd(p, z, hn::Set(d, -5.37397155531e-2F));
  p = hn::MulAdd(p, z, hn::Set(d, 1.33314422036e-1F));
  p = hn::MulAdd(p, z, hn::Set(d, -3.33332819422e-1F));
  const V small = hn::MulAdd(hn::Mul(p, z), ax, ax);
  const V e = exp(d, hn::Add(ax, ax));
  const V large = hn::Sub(one, hn::Div(hn::Set(d, 2.0F), hn::Add(e, one)));
  return hn::CopySign(hn::IfThenElse(hn::Lt(ax, hn::Set(d, 0.625F)), small, large), x);
}

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
    default:  // unary_f32_takes() says which functions are here
      return;
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(piece);

bool unary_f32_takes(Unary f) noexcept {
  using enum Unary;
  for (const Unary known : {abs_, ceil_, erf_, exp_, floor_, gelu, gelu_tanh, hard_sigmoid, hard_swish, leaky_relu, neg,
                            reciprocal, relu, round_, sigmoid, sqrt_, tanh_}) {
    if (f == known) return true;
  }
  return false;
}

void unary_f32(Unary f, UnaryParameters p, std::span<const float> x, std::span<float> y) {
  const auto function = HWY_DYNAMIC_DISPATCH(piece);
  base::parallel_for(0, x.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    function(f, x.data() + begin, y.data() + begin, end - begin, static_cast<float>(p.a), static_cast<float>(p.b));
  });
}

}  // namespace skerry::kernels
#endif
