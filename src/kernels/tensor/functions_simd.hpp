/// \file
/// Functions of one element in vectors of f32, for kernels that are compiled once for every instruction set: included
/// after highway.h, once for each of them.

// Highway's per-target guard, which is undone each time another target is compiled.
#if defined(SKERRY_KERNELS_TENSOR_FUNCTIONS_SIMD) == defined(HWY_TARGET_TOGGLE)
#ifdef SKERRY_KERNELS_TENSOR_FUNCTIONS_SIMD
#undef SKERRY_KERNELS_TENSOR_FUNCTIONS_SIMD
#else
#define SKERRY_KERNELS_TENSOR_FUNCTIONS_SIMD
#endif

#include <hwy/highway.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// exp(x - n ln 2) for n = round(x / ln 2), subtracted in two parts so that nothing is lost: what is left is within
// ln 2 / 2, where the series of exp needs seven terms.
HWY_INLINE V exp_of_rest(D d, V x, V n) {
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), r);
  V p = hn::Set(d, 1.0F / 720.0F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 120.0F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 24.0F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 6.0F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
  return hn::MulAdd(p, r, hn::Set(d, 1.0F));
}

// Below, a result would be subnormal and is 0.
constexpr float kLowestExponent = -87.3F;

// exp(x) for x <= 0, within 2 ulp; not-a-number stays.
HWY_INLINE V exp_below_zero(D d, V x) {
  const V lowest = hn::Set(d, kLowestExponent);
  const auto n = hn::NearestInt(hn::Mul(hn::Max(x, lowest), hn::Set(d, 1.442695041F)));
  const V power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(hn::RebindToSigned<D>(), 127))));
  const V y = hn::Mul(exp_of_rest(d, x, hn::ConvertTo(d, n)), power);
  return hn::IfThenZeroElse(hn::Lt(x, lowest), y);
}

// exp(x) within 2 ulp. 2^n is taken in two halves: the largest result's n is one more than an exponent can be.
HWY_INLINE V exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V lowest = hn::Set(d, kLowestExponent), highest = hn::Set(d, 88.72283F);
  const V clamped = hn::Min(hn::Max(x, lowest), highest);
  const auto n = hn::NearestInt(hn::Mul(clamped, hn::Set(d, 1.442695041F)));
  const auto half = hn::ShiftRight<1>(n), bias = hn::Set(di, 127);
  const V low = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V high = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(n, half), bias)));
  const V y = hn::Mul(hn::Mul(exp_of_rest(d, clamped, hn::ConvertTo(d, n)), low), high);
  const V bounded = hn::IfThenElse(hn::Gt(x, highest), hn::Set(d, std::numeric_limits<float>::infinity()), y);
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenZeroElse(hn::Lt(x, lowest), bounded));
}

// exp(x) - 1, which would cancel near 0, where the series begins one term later.
HWY_INLINE V expm1(D d, V x) {
  V p = hn::Set(d, 1.0F / 5040.0F);
  p = hn::MulAdd(p, x, hn::Set(d, 1.0F / 720.0F));
  p = hn::MulAdd(p, x, hn::Set(d, 1.0F / 120.0F));
  p = hn::MulAdd(p, x, hn::Set(d, 1.0F / 24.0F));
  p = hn::MulAdd(p, x, hn::Set(d, 1.0F / 6.0F));
  p = hn::MulAdd(p, x, hn::Set(d, 0.5F));
  const V small = hn::MulAdd(hn::Mul(p, x), x, x);
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.35F)), small, hn::Sub(exp(d, x), hn::Set(d, 1.0F)));
}

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
  const V large = hn::NegMulAdd(hn::Mul(q, t), exp_below_zero(d, hn::Neg(z)), hn::Set(d, 1.0F));
  const V magnitude = hn::IfThenElse(hn::Lt(ax, hn::Set(d, 1.0F)), small, large);
  const V out = hn::CopySign(magnitude, x);
  return hn::IfThenElse(hn::IsNaN(x), x, out);
}

// 1 / (1 + exp(-x)), for x < 0 as exp(x) / (1 + exp(x)): half the range is half the work.
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  const V e = exp_below_zero(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

// tanh x = x P(x^2) near 0, where (1 - e^-2x) / (1 + e^-2x) would cancel.
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
  const V e = exp_below_zero(d, hn::Mul(ax, hn::Set(d, -2.0F)));
  const V large = hn::Div(hn::Sub(one, e), hn::Add(one, e));
  return hn::CopySign(hn::IfThenElse(hn::Lt(ax, hn::Set(d, 0.625F)), small, large), x);
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
