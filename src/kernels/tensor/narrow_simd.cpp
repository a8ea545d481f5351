// Compiled once for every instruction set the CPU may have; the best one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/narrow_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include <cstring>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/narrow.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;
using VI = hn::Vec<DI>;

// y[i] = f(d, vector of x from i on), the last ones by the same arithmetic.
template <class X, class Y, class F>
HWY_INLINE void map(const std::byte* from, std::size_t count, std::byte* to, F&& f) {
  const hn::Rebind<X, D> dx;
  const hn::Rebind<Y, D> dy;
  const auto* x = reinterpret_cast<const X*>(from);
  auto* y = reinterpret_cast<Y*>(to);
  const std::size_t lanes = hn::Lanes(D());
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(f(hn::LoadU(dx, x + i)), dy, y + i);
  if (i == count) return;
  HWY_ALIGN X rest[hn::MaxLanes(D())] = {};
  HWY_ALIGN Y done[hn::MaxLanes(D())];
  std::memcpy(rest, x + i, (count - i) * sizeof(X));
  hn::StoreU(f(hn::LoadU(dx, rest)), dy, done);
  std::memcpy(y + i, done, (count - i) * sizeof(Y));
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
// The processor's own conversions. What is no number keeps its sign alone, as without them.
using Halves = hn::Vec<hn::Rebind<std::uint16_t, D>>;
HWY_INLINE V from_half(Halves h) {
  return hn::PromoteTo(D(), hn::BitCast(hn::Rebind<hwy::float16_t, D>(), h));
}
HWY_INLINE Halves to_half(V v) {
  const D d;
  const V nothing = hn::CopySign(hn::Set(d, std::numeric_limits<float>::quiet_NaN()), v);
  const auto half = hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), hn::IfThenElse(hn::IsNaN(v), nothing, v));
  return hn::BitCast(hn::Rebind<std::uint16_t, D>(), half);
}
#else
// An f16 has an exponent of 5 bits and a fraction of 10.
HWY_INLINE V half_of(VI h) {
  const D d;
  const DI di;
  const VI magnitude = hn::And(h, hn::Set(di, 0x7fff)), exponent = hn::And(h, hn::Set(di, 0x7c00));
  const VI bits = hn::ShiftLeft<13>(magnitude);
  const auto past = hn::Eq(exponent, hn::Set(di, 0x7c00));  // infinite or no number
  const VI bias = hn::IfThenElse(past, hn::Set(di, 224 << 23), hn::Set(di, 112 << 23));
  const V subnormal = hn::Mul(hn::ConvertTo(d, magnitude), hn::Set(d, 0x1p-24F));
  const VI value = hn::IfThenElse(hn::Eq(exponent, hn::Zero(di)), hn::BitCast(di, subnormal), hn::Add(bits, bias));
  return hn::BitCast(d, hn::Or(value, hn::ShiftLeft<16>(hn::And(h, hn::Set(di, 0x8000)))));
}

template <class H>
HWY_INLINE V from_half(H h) {
  return half_of(hn::PromoteTo(DI(), h));
}

// As Float16(float) of numeric.hpp does it.
HWY_INLINE auto to_half(V v) {
  const D d;
  const DI di;
  const VI word = hn::BitCast(di, v), magnitude = hn::And(word, hn::Set(di, 0x7fffffff));
  const VI even = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(di, 1));
  const VI rounded = hn::ShiftRight<13>(hn::Add(hn::Add(magnitude, even), hn::Set(di, 0xfff - 0x38000000)));
  const V aligned = hn::Add(hn::BitCast(d, magnitude), hn::Set(d, 0.5F));
  const VI subnormal = hn::Sub(hn::BitCast(di, aligned), hn::Set(di, 0x3f000000));
  VI half = hn::IfThenElse(hn::Lt(magnitude, hn::Set(di, 0x38800000)), subnormal, rounded);
  half = hn::IfThenElse(hn::Gt(magnitude, hn::Set(di, 0x477fefff)), hn::Set(di, 0x7c00), half);
  half = hn::IfThenElse(hn::Gt(magnitude, hn::Set(di, 0x7f800000)), hn::Set(di, 0x7e00), half);
  half = hn::Or(half, hn::And(hn::ShiftRight<16>(word), hn::Set(di, 0x8000)));
  return hn::DemoteTo(hn::Rebind<std::uint16_t, D>(), half);
}
#endif

HWY_INLINE VI to_bfloat(V v) {
  const DI di;
  const hn::RebindToUnsigned<D> du;
  const auto word = hn::BitCast(du, v);
  const auto even = hn::And(hn::ShiftRight<16>(word), hn::Set(du, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(word, even), hn::Set(du, 0x7fff)));
  const auto nothing = hn::Or(hn::ShiftRight<16>(word), hn::Set(du, 0x40));
  return hn::IfThenElse(hn::RebindMask(di, hn::IsNaN(v)), hn::BitCast(di, nothing), hn::BitCast(di, rounded));
}

// Towards 0; past the ends of i32 the nearest of them; not-a-number is 0.
HWY_INLINE VI to_integer(V v) {
  return hn::ConvertTo(DI(), hn::IfThenElseZero(hn::Eq(v, v), v));
}

template <class T>
void widen_integers(const std::byte* x, std::size_t count, std::byte* y) {
  map<T, float>(x, count, y, [](auto v) HWY_ATTR { return hn::ConvertTo(D(), hn::PromoteTo(DI(), v)); });
}

template <class T>
void narrow_integers(const std::byte* x, std::size_t count, std::byte* y) {
  map<float, T>(x, count, y, [](V v) HWY_ATTR {
    // Bounded first: Highway's way to 8 bits takes what does not fit into 16 for something below 0.
    const DI di;
    const VI low = hn::Set(di, std::numeric_limits<T>::min()), high = hn::Set(di, std::numeric_limits<T>::max());
    return hn::DemoteTo(hn::Rebind<T, D>(), hn::Min(hn::Max(to_integer(v), low), high));
  });
}

// A vector of f64 holds half as many.
void widen_doubles(const std::byte* from, std::size_t count, float* y) {
  const auto* x = reinterpret_cast<const double*>(from);
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::DemoteTo(narrow, hn::LoadU(d, x + i)), narrow, y + i);
  for (; i < count; ++i) y[i] = static_cast<float>(x[i]);
}
void narrow_doubles(const float* x, std::size_t count, std::byte* to) {
  auto* y = reinterpret_cast<double*>(to);
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, x + i)), d, y + i);
  for (; i < count; ++i) y[i] = static_cast<double>(x[i]);
}

void widen_as(DType from, const std::byte* x, std::size_t count, float* floats) {
  auto* y = reinterpret_cast<std::byte*>(floats);
  switch (from) {
    case DType::f32:
      std::memcpy(y, x, count * sizeof(float));
      return;
    case DType::f64:
      return widen_doubles(x, count, floats);
    case DType::f16:
      return map<std::uint16_t, float>(x, count, y, [](auto v) HWY_ATTR { return from_half(v); });
    case DType::bf16:
      return map<std::uint16_t, float>(
          x, count, y, [](auto v) HWY_ATTR { return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(DI(), v))); });
    case DType::i8:
      return widen_integers<std::int8_t>(x, count, y);
    case DType::u8:
    case DType::boolean:
      return widen_integers<std::uint8_t>(x, count, y);
    case DType::i16:
      return widen_integers<std::int16_t>(x, count, y);
    case DType::u16:
      return widen_integers<std::uint16_t>(x, count, y);
    default:
      return map<std::int32_t, float>(x, count, y, [](VI v) HWY_ATTR { return hn::ConvertTo(D(), v); });
  }
}

void narrow_as(DType to, const float* floats, std::size_t count, std::byte* y) {
  const auto* x = reinterpret_cast<const std::byte*>(floats);
  const auto shorten = [](VI v) HWY_ATTR { return hn::DemoteTo(hn::Rebind<std::uint16_t, D>(), v); };
  switch (to) {
    case DType::f32:
      std::memcpy(y, x, count * sizeof(float));
      return;
    case DType::f64:
      return narrow_doubles(floats, count, y);
    case DType::f16:
      return map<float, std::uint16_t>(x, count, y, [&](V v) HWY_ATTR { return to_half(v); });
    case DType::bf16:
      return map<float, std::uint16_t>(x, count, y, [&](V v) HWY_ATTR { return shorten(to_bfloat(v)); });
    case DType::i8:
      return narrow_integers<std::int8_t>(x, count, y);
    case DType::u8:
      return narrow_integers<std::uint8_t>(x, count, y);
    case DType::boolean:
      return map<float, std::uint8_t>(x, count, y, [](V v) HWY_ATTR {
        const auto is_false = hn::RebindMask(DI(), hn::Eq(v, hn::Zero(D())));
        return hn::DemoteTo(hn::Rebind<std::uint8_t, D>(), hn::IfThenZeroElse(is_false, hn::Set(DI(), 1)));
      });
    case DType::i16:
      return narrow_integers<std::int16_t>(x, count, y);
    case DType::u16:
      return narrow_integers<std::uint16_t>(x, count, y);
    default:
      return map<float, std::int32_t>(x, count, y, [](V v) HWY_ATTR { return to_integer(v); });
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(widen_as);
HWY_EXPORT(narrow_as);

void widen(DType from, const std::byte* x, std::size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(widen_as)(from, x, count, y);
}
void narrow(DType to, const float* x, std::size_t count, std::byte* y) {
  HWY_DYNAMIC_DISPATCH(narrow_as)(to, x, count, y);
}

void widen_all(TensorView x, std::span<float> y) {
  const auto width = static_cast<std::size_t>(dtype_bits(x.dtype()) / 8);
  base::parallel_for(0, y.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    widen(x.dtype(), x.data() + begin * width, end - begin, y.data() + begin);
  });
}
void narrow_all(std::span<const float> x, MutableTensorView y) {
  const auto width = static_cast<std::size_t>(dtype_bits(y.dtype()) / 8);
  base::parallel_for(0, x.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    narrow(y.dtype(), x.data() + begin, end - begin, y.data() + begin * width);
  });
}

}  // namespace skerry::kernels
#endif
