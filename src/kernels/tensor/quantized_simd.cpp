// Compiled once for every instruction set the CPU may have; the compiler vectorises these loops by itself.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/quantized_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/quantized.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 1.5 * 2^23: adding it rounds a float below 2^22 to an integer, ties to even, which the low bits then hold.
constexpr float kRounder = 12582912.0F;

HWY_INLINE std::uint8_t rounded(float value, float low, float high, std::int32_t zero) {
  const float above = value > low ? value : low;
  const float inside = above < high ? above : high;
  return static_cast<std::uint8_t>(__builtin_bit_cast(std::int32_t, inside + kRounder) - 0x4B400000 + zero);
}

void quantize(const float* HWY_RESTRICT x, std::int64_t count, float scale, float low, float high, std::int32_t zero,
              std::uint8_t* HWY_RESTRICT q) {
  for (std::int64_t i = 0; i < count; ++i) q[i] = rounded(x[i] / scale, low, high, zero);
}

void dequantize(const std::uint8_t* HWY_RESTRICT q, bool is_signed, std::int64_t count, float scale, std::int32_t zero,
                float* HWY_RESTRICT x) {
  if (is_signed) {
    const auto* s = reinterpret_cast<const std::int8_t*>(q);
    for (std::int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(s[i] - zero) * scale;
  } else {
    for (std::int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(q[i] - zero) * scale;
  }
}

void requantize(const float* HWY_RESTRICT sums, std::int64_t count, std::int32_t add, float scale, float low,
                float high, std::int32_t zero, std::uint8_t* HWY_RESTRICT y) {
  for (std::int64_t i = 0; i < count; ++i)
    y[i] = rounded(static_cast<float>(static_cast<std::int32_t>(sums[i]) + add) * scale, low, high, zero);
}

// Dense runs in vectors; gives how many elements are done.
template <class Q>
HWY_INLINE std::int64_t add_dense(const Q* HWY_RESTRICT a, const Q* HWY_RESTRICT b, float ra, float rb, float fixed,
                                  std::uint8_t* HWY_RESTRICT y, std::int64_t count) {
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(a), static_cast<void>(b), static_cast<void>(ra), static_cast<void>(rb), static_cast<void>(fixed);
  static_cast<void>(y), static_cast<void>(count);
  return 0;
#else
  const hn::ScalableTag<float> d;
  const hn::Rebind<std::int32_t, decltype(d)> integers;
  const hn::Rebind<Q, decltype(d)> bytes;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto va = hn::Set(d, ra), vb = hn::Set(d, rb), vfixed = hn::Set(d, fixed);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto left = hn::ConvertTo(d, hn::PromoteTo(integers, hn::LoadU(bytes, a + i)));
    const auto right = hn::ConvertTo(d, hn::PromoteTo(integers, hn::LoadU(bytes, b + i)));
    // Narrowing saturates, as the result does.
    const auto sum = hn::NearestInt(hn::MulAdd(left, va, hn::MulAdd(right, vb, vfixed)));
    hn::StoreU(hn::DemoteTo(bytes, sum), bytes, reinterpret_cast<Q*>(y) + i);
  }
  return i;
#endif
}

// ratios: of the inputs' scales to the output's; fixed: what the zero points come to.
template <class Q>
HWY_INLINE void add_of(const Q* HWY_RESTRICT a, std::int64_t sa, const Q* HWY_RESTRICT b, std::int64_t sb, float ra,
                       float rb, float fixed, float low, float high, std::uint8_t* HWY_RESTRICT y, std::int64_t count) {
  for (std::int64_t i = sa == 1 && sb == 1 ? add_dense(a, b, ra, rb, fixed, y, count) : 0; i < count; ++i)
    y[i] = rounded(static_cast<float>(a[i * sa]) * ra + (static_cast<float>(b[i * sb]) * rb + fixed), low, high, 0);
}

void add(const std::uint8_t* a, std::int64_t sa, const std::uint8_t* b, std::int64_t sb, bool is_signed, float ra,
         float rb, float fixed, std::uint8_t* y, std::int64_t count) {
  if (is_signed) {
    add_of(reinterpret_cast<const std::int8_t*>(a), sa, reinterpret_cast<const std::int8_t*>(b), sb, ra, rb, fixed,
           -128.0F, 127.0F, y, count);
  } else {
    add_of(a, sa, b, sb, ra, rb, fixed, 0.0F, 255.0F, y, count);
  }
}

template <class Q>
HWY_INLINE void mul_of(const Q* HWY_RESTRICT a, std::int64_t sa, std::int32_t za, const Q* HWY_RESTRICT b,
                       std::int64_t sb, std::int32_t zb, float ratio, float zero, float low, float high,
                       std::uint8_t* HWY_RESTRICT y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    y[i] = rounded(static_cast<float>((a[i * sa] - za) * (b[i * sb] - zb)) * ratio + zero, low, high, 0);
}

void mul(const std::uint8_t* a, std::int64_t sa, std::int32_t za, const std::uint8_t* b, std::int64_t sb,
         std::int32_t zb, bool is_signed, float ratio, float zero, std::uint8_t* y, std::int64_t count) {
  if (is_signed) {
    mul_of(reinterpret_cast<const std::int8_t*>(a), sa, za, reinterpret_cast<const std::int8_t*>(b), sb, zb, ratio,
           zero, -128.0F, 127.0F, y, count);
  } else {
    mul_of(a, sa, za, b, sb, zb, ratio, zero, 0.0F, 255.0F, y, count);
  }
}

std::int64_t sum(const std::uint8_t* x, std::int64_t count, bool is_signed) {
  std::int32_t total = 0;
  const std::uint8_t flip = is_signed ? 0x80 : 0;
  for (std::int64_t i = 0; i < count; ++i) total += static_cast<std::uint8_t>(x[i] ^ flip);
  return static_cast<std::int64_t>(total) - (is_signed ? 128 * count : 0);
}

// best[i] = max(best[i], x[i * step]), elements flipped to u8.
void raise(const std::uint8_t* HWY_RESTRICT x, std::int64_t step, std::uint8_t flip, std::int64_t count,
           std::uint8_t* HWY_RESTRICT best) {
  if (step == 1) {
    for (std::int64_t i = 0; i < count; ++i) best[i] = std::max<std::uint8_t>(best[i], x[i] ^ flip);
  } else {
    for (std::int64_t i = 0; i < count; ++i) best[i] = std::max<std::uint8_t>(best[i], x[i * step] ^ flip);
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(quantize);
HWY_EXPORT(dequantize);
HWY_EXPORT(requantize);
HWY_EXPORT(add);
HWY_EXPORT(mul);
HWY_EXPORT(sum);
HWY_EXPORT(raise);
namespace {

struct Bounds {
  float low, high;
};
Bounds bounds(bool is_signed, std::int32_t zero) {
  return {static_cast<float>((is_signed ? -128 : 0) - zero), static_cast<float>((is_signed ? 127 : 255) - zero)};
}

// Runs of two broadcast inputs, shared among the threads.
template <class F>
void for_each_pair(TensorView a, TensorView b, MutableTensorView y, F&& f) {
  const BroadcastLoops<2> loops(y.shape(), {a.shape(), b.shape()});
  const auto* pa = reinterpret_cast<const std::uint8_t*>(a.data());
  const auto* pb = reinterpret_cast<const std::uint8_t*>(b.data());
  auto* py = reinterpret_cast<std::uint8_t*>(y.data());
  base::parallel_for(
      0, static_cast<std::size_t>(y.elements()), 2 * kElementGrain, [&](std::size_t begin, std::size_t end) {
        loops.for_each_run(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
                           [&](std::int64_t at, const std::array<std::int64_t, 2>& in, std::int64_t count) {
                             f(pa + in[0], loops.inner_stride(0), pb + in[1], loops.inner_stride(1), py + at, count);
                           });
      });
}

}  // namespace

void quantize_run(const float* x, std::int64_t count, QuantI8 to, bool is_signed, std::uint8_t* q) {
  const Bounds b = bounds(is_signed, to.zero);
  HWY_DYNAMIC_DISPATCH(quantize)(x, count, to.scale, b.low, b.high, to.zero, q);
}

void dequantize_run(ElementsI8 q, std::int64_t count, QuantI8 from, float* x) {
  HWY_DYNAMIC_DISPATCH(dequantize)(q.data, q.is_signed, count, from.scale, from.zero, x);
}

void requantize_run(const float* sums, std::int64_t count, std::int32_t add, float scale, const EndI8& end,
                    std::uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(requantize)
  (sums, count, add, scale, static_cast<float>(end.low - end.zero), static_cast<float>(end.high - end.zero), end.zero,
   y);
}

AddI8 add_of(QuantI8 of_a, QuantI8 of_b, QuantI8 of_y) {
  const float left = of_a.scale / of_y.scale, right = of_b.scale / of_y.scale;
  // The first product unrounded, as ONNX Runtime's compiler has it: rounded, one sum in 20 000 is another byte.
  const float zeros = std::fma(left, static_cast<float>(of_a.zero), right * static_cast<float>(of_b.zero));
  return {left, right, static_cast<float>(of_y.zero) - zeros};
}

void quantized_add(TensorView a, QuantI8 of_a, TensorView b, QuantI8 of_b, MutableTensorView y, QuantI8 of_y) {
  const bool is_signed = y.dtype() == DType::i8;
  const AddI8 by = add_of(of_a, of_b, of_y);
  const auto function = HWY_DYNAMIC_DISPATCH(add);
  for_each_pair(
      a, b, y,
      [&](const std::uint8_t* pa, std::int64_t sa, const std::uint8_t* pb, std::int64_t sb, std::uint8_t* py,
          std::int64_t count) { function(pa, sa, pb, sb, is_signed, by.left, by.right, by.fixed, py, count); });
}

void quantized_mul(TensorView a, QuantI8 of_a, TensorView b, QuantI8 of_b, MutableTensorView y, QuantI8 of_y) {
  const bool is_signed = y.dtype() == DType::i8;
  const float ratio = of_a.scale * of_b.scale / of_y.scale;
  const auto function = HWY_DYNAMIC_DISPATCH(mul);
  for_each_pair(a, b, y,
                [&](const std::uint8_t* pa, std::int64_t sa, const std::uint8_t* pb, std::int64_t sb, std::uint8_t* py,
                    std::int64_t count) {
                  function(pa, sa, of_a.zero, pb, sb, of_b.zero, is_signed, ratio, static_cast<float>(of_y.zero), py,
                           count);
                });
}

void map_bytes(const std::uint8_t* x, std::int64_t count, const TableI8& table, std::uint8_t* y) {
  base::parallel_for(0, static_cast<std::size_t>(count), 4 * kElementGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) y[i] = table[x[i]];
  });
}

void quantized_global_average(ElementsI8 x, QuantI8 of_x, std::int64_t planes, std::int64_t size, QuantI8 of_y,
                              std::uint8_t* y) {
  const auto function = HWY_DYNAMIC_DISPATCH(sum);
  const float scale = of_x.scale / (of_y.scale * static_cast<float>(size));
  const Bounds b = bounds(x.is_signed, of_y.zero);
  base::parallel_for(0, static_cast<std::size_t>(planes), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::int64_t total = function(x.data + static_cast<std::int64_t>(p) * size, size, x.is_signed);
      const float scaled = static_cast<float>(total - of_x.zero * size) * scale;
      const float inside = std::min(std::max(scaled, b.low), b.high);
      y[p] = static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(inside)) + of_y.zero);
    }
  });
}

void max_pool_i8(const Window& window, std::int64_t planes, ElementsI8 x, std::uint8_t* y) {
  const std::uint8_t flip = x.flip_to(false);
  const auto function = HWY_DYNAMIC_DISPATCH(raise);
  const std::int64_t rows = window.output[0] * window.output[1];
  base::parallel_for(0, static_cast<std::size_t>(planes * rows), 16, [&](std::size_t begin, std::size_t end) {
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
      const std::int64_t plane = i / rows, oz = i % rows / window.output[1], oy = i % window.output[1];
      const std::uint8_t* in = x.data + plane * window.inputs();
      std::uint8_t* best = y + i * window.output[2];
      std::fill_n(best, window.output[2], std::uint8_t{0});
      for (std::int64_t tap = 0; tap < window.taps(); ++tap) {
        const std::int64_t kx = tap % window.kernel[2];
        const std::int64_t z = window.position(0, oz, tap / window.kernel[2] / window.kernel[1]);
        const std::int64_t row = window.position(1, oy, tap / window.kernel[2] % window.kernel[1]);
        if (z < 0 || row < 0 || z >= window.input[0] || row >= window.input[1]) continue;
        const auto [first, last] = window.seen(2, kx);
        if (last <= first) continue;
        function(in + (z * window.input[1] + row) * window.input[2] + window.position(2, first, kx), window.stride[2],
                 flip, last - first, best + first);
      }
      if (flip == 0) continue;
      for (std::int64_t k = 0; k < window.output[2]; ++k) best[k] = static_cast<std::uint8_t>(best[k] ^ flip);
    }
  });
}

void quantized_softmax(ElementsI8 x, float x_scale, std::int64_t rows, std::int64_t length, QuantI8 of_y,
                       std::uint8_t* y) {
  // Distances to the largest element are at most 255 steps.
  std::array<float, 256> exponentials{};
  for (std::size_t i = 0; i < exponentials.size(); ++i)
    exponentials[i] = static_cast<float>(std::exp(-static_cast<double>(255 - i) * static_cast<double>(x_scale)));
  const std::uint8_t flip = x.flip_to(false);
  const std::int32_t low = x.is_signed ? -128 : 0, high = x.is_signed ? 127 : 255;
  base::parallel_for(0, static_cast<std::size_t>(rows), 4, [&](std::size_t begin, std::size_t end) {
    for (auto r = static_cast<std::int64_t>(begin); r < static_cast<std::int64_t>(end); ++r) {
      const std::uint8_t* in = x.data + r * length;
      std::uint8_t* out = y + r * length;
      std::int32_t largest = 0;
      for (std::int64_t i = 0; i < length; ++i) largest = std::max<std::int32_t>(largest, in[i] ^ flip);
      const float* table = exponentials.data() + (255 - largest);
      float total = 0.0F;
      for (std::int64_t i = 0; i < length; ++i) total += table[in[i] ^ flip];
      for (std::int64_t i = 0; i < length; ++i) {
        const float share = table[in[i] ^ flip] / total / of_y.scale;
        const auto q = static_cast<std::int32_t>(std::nearbyint(share)) + of_y.zero;
        out[i] = static_cast<std::uint8_t>(std::clamp(q, low, high));
      }
    }
  });
}

}  // namespace skerry::kernels
#endif
