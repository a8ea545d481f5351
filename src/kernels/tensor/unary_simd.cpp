// Compiled once for every instruction set the CPU may have; the best one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/unary_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "kernels/tensor/bounds_simd.hpp"
#include "kernels/tensor/functions_simd.hpp"
//
#include <algorithm>
#include <array>
#include <cstring>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/convert.hpp"
#include "kernels/tensor/halves.hpp"
#include "kernels/tensor/narrow.hpp"
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
  if constexpr (F == Unary::acos_) return asin_or_acos(d, x, true);
  if constexpr (F == Unary::asin_) return asin_or_acos(d, x, false);
  if constexpr (F == Unary::atan_) return atan(d, x);
  if constexpr (F == Unary::ceil_) return hn::Ceil(x);
  if constexpr (F == Unary::cos_) return sin_or_cos(d, x, true);
  if constexpr (F == Unary::celu) {  // not-a-number stays
    const V below = hn::Min(hn::Mul(a, expm1(d, hn::Div(x, a))), zero);
    return hn::Add(hn::IfThenElse(hn::Lt(x, zero), zero, x), below);
  }
  if constexpr (F == Unary::elu) return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(a, expm1(d, x)), x);
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
  if constexpr (F == Unary::mish) {  // tanh(ln(1 + e)) = e (e + 2) / (e (e + 2) + 2)
    const V two = hn::Set(d, 2.0F), e = exp(d, hn::Min(x, hn::Set(d, 20.0F))), p = hn::Mul(e, hn::Add(e, two));
    return hn::Mul(x, hn::Div(p, hn::Add(p, two)));
  }
  if constexpr (F == Unary::neg) return hn::Neg(x);
  if constexpr (F == Unary::reciprocal) return hn::Div(one, x);
  if constexpr (F == Unary::relu) return hn::IfThenElse(hn::Lt(x, zero), zero, x);
  if constexpr (F == Unary::round_) return hn::Round(x);
  if constexpr (F == Unary::selu) return hn::Mul(b, hn::IfThenElse(hn::Gt(x, zero), x, hn::Mul(a, expm1(d, x))));
  if constexpr (F == Unary::sigmoid) return sigmoid(d, x);
  if constexpr (F == Unary::sin_) return sin_or_cos(d, x, false);
  if constexpr (F == Unary::softsign) return hn::Div(x, hn::Add(one, hn::Abs(x)));
  if constexpr (F == Unary::sqrt_) return hn::Sqrt(x);
  if constexpr (F == Unary::swish) return hn::Mul(x, sigmoid(d, hn::Mul(a, x)));
  if constexpr (F == Unary::tanh_) return tanh(d, x);
  if constexpr (F == Unary::thresholded_relu) return hn::IfThenElseZero(hn::Gt(x, a), x);
}

template <Unary F>
void run(const float* x, float* y, std::size_t count, float fa, float fb) {
  const D d;
  const V a = hn::Set(d, fa);
  const V b = hn::Set(d, fb);
  const std::size_t lanes = hn::Lanes(d);
  // The tail goes through the same arithmetic, so a result does not depend on where its element stands; and through the
  // same code, of which there is one for each function and instruction set.
  HWY_ALIGN float buffer[hn::MaxLanes(d)] = {};
  for (std::size_t i = 0; i < count; i += lanes) {
    const float* from = x + i;
    float* to = y + i;
    const std::size_t rest = count - i;
    if (rest < lanes) {
      std::memcpy(buffer, from, rest * sizeof(float));
      from = to = buffer;
    }
    hn::StoreU(apply<F>(d, hn::LoadU(d, from), a, b), d, to);
    if (rest < lanes) std::memcpy(y + i, buffer, rest * sizeof(float));
  }
}

void piece(Unary f, const float* x, float* y, std::size_t count, float a, float b) {
  switch (f) {
#define SKERRY_CASE(name) \
  case Unary::name:       \
    return run<Unary::name>(x, y, count, a, b);
    SKERRY_CASE(abs_)
    SKERRY_CASE(acos_)
    SKERRY_CASE(asin_)
    SKERRY_CASE(atan_)
    SKERRY_CASE(ceil_)
    SKERRY_CASE(celu)
    SKERRY_CASE(cos_)
    SKERRY_CASE(elu)
    SKERRY_CASE(erf_)
    SKERRY_CASE(exp_)
    SKERRY_CASE(floor_)
    SKERRY_CASE(gelu)
    SKERRY_CASE(gelu_tanh)
    SKERRY_CASE(hard_sigmoid)
    SKERRY_CASE(hard_swish)
    SKERRY_CASE(leaky_relu)
    SKERRY_CASE(mish)
    SKERRY_CASE(neg)
    SKERRY_CASE(reciprocal)
    SKERRY_CASE(relu)
    SKERRY_CASE(round_)
    SKERRY_CASE(selu)
    SKERRY_CASE(sigmoid)
    SKERRY_CASE(sin_)
    SKERRY_CASE(softsign)
    SKERRY_CASE(sqrt_)
    SKERRY_CASE(swish)
    SKERRY_CASE(tanh_)
    SKERRY_CASE(thresholded_relu)
#undef SKERRY_CASE
    default:  // records of other functions list no kernel unary_f32
      return;
  }
}

void clip(const float* x, float low, float high, float* y, std::size_t count) {
  const D d;
  const Bounds within(low, high);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) hn::StoreU(within(hn::LoadU(d, x + i)), d, y + i);
  for (; i < count; ++i) {
    const float raised = x[i] < low ? low : x[i];
    y[i] = raised > high ? high : raised;
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(piece);
HWY_EXPORT(clip);

void unary_f32(Unary f, UnaryParameters p, std::span<const float> x, std::span<float> y) {
  const auto function = HWY_DYNAMIC_DISPATCH(piece);
  base::parallel_for(0, x.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    function(f, x.data() + begin, y.data() + begin, end - begin, static_cast<float>(p.a), static_cast<float>(p.b));
  });
}

void unary_half(Unary f, UnaryParameters p, TensorView x, MutableTensorView y) {
  constexpr std::size_t kWidth = 2;
  base::parallel_for(0, static_cast<std::size_t>(x.elements()), kElementGrain, [&](std::size_t begin, std::size_t end) {
    std::array<float, 1024> floats;
    for (; begin < end; begin += floats.size()) {
      const std::size_t count = std::min(floats.size(), end - begin);
      widen(x.dtype(), x.data() + begin * kWidth, count, floats.data());
      unary_f32_run(f, p, floats.data(), floats.data(), count);
      narrow(y.dtype(), floats.data(), count, y.data() + begin * kWidth);
    }
  });
}

void clip_f32(std::span<const float> x, float low, float high, std::span<float> y) {
  base::parallel_for(0, x.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    HWY_DYNAMIC_DISPATCH(clip)(x.data() + begin, low, high, y.data() + begin, end - begin);
  });
}

void unary_f32_run(Unary f, UnaryParameters p, const float* x, float* y, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(piece)(f, x, y, count, static_cast<float>(p.a), static_cast<float>(p.b));
}

}  // namespace skerry::kernels
#endif
