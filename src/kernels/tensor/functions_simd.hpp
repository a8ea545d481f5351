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

#include <cmath>
#include <cstddef>
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

// atan(x) by the series of Cephes' atanf, after x is brought below tan(pi / 8).
HWY_INLINE V atan(D d, V x) {
  const V ax = hn::Abs(x), one = hn::Set(d, 1.0F);
  const auto far = hn::Gt(ax, hn::Set(d, 2.41421356F)), middle = hn::Gt(ax, hn::Set(d, 0.41421356F));
  const V above = hn::IfThenElse(far, hn::Set(d, -1.0F), hn::IfThenElse(middle, hn::Sub(ax, one), ax));
  const V below = hn::IfThenElse(far, ax, hn::IfThenElse(middle, hn::Add(ax, one), one));
  const V start = hn::IfThenElse(far, hn::Set(d, 1.57079633F), hn::IfThenElseZero(middle, hn::Set(d, 0.78539816F)));
  const V r = hn::Div(above, below), z = hn::Mul(r, r);
  V p = hn::Set(d, 8.05374449538e-2F);
  p = hn::MulAdd(p, z, hn::Set(d, -1.38776856032e-1F));
  p = hn::MulAdd(p, z, hn::Set(d, 1.99777106478e-1F));
  p = hn::MulAdd(p, z, hn::Set(d, -3.33329491539e-1F));
  const V y = hn::Add(start, hn::MulAdd(hn::Mul(p, z), r, r));
  return hn::CopySign(y, x);
}

// asin(s) for 0 <= s <= 1/2, z being s^2, by the series of Cephes' asinf.
HWY_INLINE V asin_below_half(D d, V s, V z) {
  V p = hn::Set(d, 4.2163199048e-2F);
  p = hn::MulAdd(p, z, hn::Set(d, 2.4181311049e-2F));
  p = hn::MulAdd(p, z, hn::Set(d, 4.5470025998e-2F));
  p = hn::MulAdd(p, z, hn::Set(d, 7.4953002686e-2F));
  p = hn::MulAdd(p, z, hn::Set(d, 1.6666752422e-1F));
  return hn::MulAdd(hn::Mul(p, z), s, s);
}

// asin(x), or acos(x): above 1/2 by that of sqrt((1 - |x|) / 2). Past 1 the root is no number.
HWY_INLINE V asin_or_acos(D d, V x, bool cosine) {
  const V ax = hn::Abs(x), half = hn::Set(d, 0.5F), right = hn::Set(d, 1.57079633F);
  const auto large = hn::Gt(ax, half);
  const V halved = hn::Mul(half, hn::Sub(hn::Set(d, 1.0F), ax));
  const V z = hn::IfThenElse(large, halved, hn::Mul(ax, ax));
  const V y = asin_below_half(d, hn::IfThenElse(large, hn::Sqrt(halved), ax), z), twice = hn::Add(y, y);
  if (!cosine) return hn::CopySign(hn::IfThenElse(large, hn::Sub(right, twice), y), x);
  const auto negative = hn::Lt(x, hn::Zero(d));
  const V far = hn::IfThenElse(negative, hn::Sub(hn::Set(d, 3.14159265F), twice), twice);
  return hn::IfThenElse(large, far, hn::Sub(right, hn::CopySign(y, x)));
}

// sin(x + quarters pi / 2) for |x| < 8192: multiples of pi / 2 are subtracted in three parts, what is left is within
// pi / 4, where Cephes' series of sine and cosine hold.
HWY_INLINE V sin_near(D d, V x, int quarters) {
  const hn::RebindToSigned<D> di;
  const auto n = hn::NearestInt(hn::Mul(x, hn::Set(d, 0.636619772F)));
  const V f = hn::ConvertTo(d, n);
  V r = hn::NegMulAdd(f, hn::Set(d, 1.5703125F), x);
  r = hn::NegMulAdd(f, hn::Set(d, 4.837512969970703125e-4F), r);
  r = hn::NegMulAdd(f, hn::Set(d, 7.54978995489188216e-8F), r);
  const V z = hn::Mul(r, r);
  V s = hn::Set(d, -1.9515295891e-4F);
  s = hn::MulAdd(s, z, hn::Set(d, 8.3321608736e-3F));
  s = hn::MulAdd(s, z, hn::Set(d, -1.6666654611e-1F));
  s = hn::MulAdd(hn::Mul(s, z), r, r);
  V c = hn::Set(d, 2.443315711809948e-5F);
  c = hn::MulAdd(c, z, hn::Set(d, -1.388731625493765e-3F));
  c = hn::MulAdd(c, z, hn::Set(d, 4.166664568298827e-2F));
  c = hn::MulAdd(hn::Mul(c, z), z, hn::NegMulAdd(hn::Set(d, 0.5F), z, hn::Set(d, 1.0F)));
  const auto k = hn::Add(n, hn::Set(di, quarters));
  const auto odd = hn::Eq(hn::And(k, hn::Set(di, 1)), hn::Set(di, 1));
  const V y = hn::IfThenElse(hn::RebindMask(d, odd), c, s);
  const auto sign = hn::ShiftLeft<30>(hn::And(k, hn::Set(di, 2)));  // of the second half of a turn
  return hn::BitCast(d, hn::Xor(hn::BitCast(di, y), sign));
}

// sin(x), or cos(x); of larger and infinite numbers the C library's, one by one.
HWY_INLINE V sin_or_cos(D d, V x, bool cosine) {
  const auto near = hn::Lt(hn::Abs(x), hn::Set(d, 8192.0F));
  const V y = sin_near(d, hn::IfThenElseZero(near, x), cosine ? 1 : 0);
  if (hn::AllTrue(d, near)) return y;
  HWY_ALIGN float numbers[hn::MaxLanes(d)];
  HWY_ALIGN float results[hn::MaxLanes(d)];
  hn::Store(x, d, numbers);
  hn::Store(y, d, results);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (!(std::abs(numbers[i]) < 8192.0F)) results[i] = cosine ? std::cos(numbers[i]) : std::sin(numbers[i]);
  }
  return hn::Load(d, results);
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
