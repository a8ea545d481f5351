#include <algorithm>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/quantize.hpp"
#include "kernels/tensor/quantized.hpp"
#include "kernels/tensor/small_types.hpp"

namespace skerry::kernels {
namespace {

using Quantized = Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>;
using Dequantized = Join<Quantized, Types<std::int32_t>>;

constexpr std::size_t kLineGrain = 16;

// Calls line(first element, elements, first scale, step of the scale) for runs whose scales lie in order: inner
// elements share one scale, or have one each.
template <class Line>
void for_each_line(const ScaleLayout& l, Line line) {
  const auto lines = static_cast<std::size_t>(l.outer * l.length);
  base::parallel_for(0, lines, kLineGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const std::int64_t outer = at / l.length, middle = at % l.length / l.block;
      const std::int64_t scale = l.per_inner ? (outer * l.scales + middle) * l.inner : middle;
      line(at * l.inner, l.inner, scale, l.per_inner ? 1 : 0);
    }
  });
}

template <class Q, class T>
Q quantized(T x, T scale, T zero) {
  constexpr auto kLow = static_cast<T>(std::numeric_limits<Q>::min());
  constexpr auto kHigh = static_cast<T>(std::numeric_limits<Q>::max());
  const T value = std::nearbyint(x / scale) + zero;
  // Not-a-number goes to the zero point, which any comparison with it leaves.
  if (!(value >= kLow)) return value < kLow ? std::numeric_limits<Q>::min() : static_cast<Q>(zero);
  return static_cast<Q>(std::min(value, kHigh));
}

// A line of one scale between f32 and 8 bits, as most are, goes in vectors.
bool in_vectors(const TensorView& x, const TensorView& scale, const TensorView& q, const ScaleLayout& layout) {
  const bool eight = q.dtype() == DType::u8 || q.dtype() == DType::i8;
  return eight && x.dtype() == DType::f32 && scale.dtype() == DType::f32 && !layout.per_inner;
}

QuantI8 at_scale(const TensorView& scale, const TensorView& zero, std::int64_t at) {
  const auto s = static_cast<std::size_t>(at);
  const auto bits = zero.empty() ? std::byte{0} : zero.data()[s];
  return {scale.as<float>()[s],
          zero.dtype() == DType::i8 ? static_cast<std::int8_t>(bits) : static_cast<std::int32_t>(bits)};
}

// Long lines are cut so that threads share them.
template <class Piece>
void for_each_piece(const ScaleLayout& l, Piece piece) {
  constexpr std::int64_t kPiece = 32'768;
  if (l.outer * l.length != 1) {
    return for_each_line(
        l, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t) { piece(first, count, at); });
  }
  base::parallel_for(0, static_cast<std::size_t>((l.inner + kPiece - 1) / kPiece), 1,
                     [&](std::size_t begin, std::size_t end) {
                       const auto first = static_cast<std::int64_t>(begin) * kPiece;
                       piece(first, std::min(static_cast<std::int64_t>(end) * kPiece, l.inner) - first, 0);
                     });
}

// Types below 8 bits and 8-bit floats go through their values in float.
void quantize_small(TensorView x, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView q,
                    bool saturate) {
  const bool with_sign = q.dtype() == DType::i4 || q.dtype() == DType::i2;
  const bool integers = with_sign || q.dtype() == DType::u4 || q.dtype() == DType::u2;
  const float values_of = std::ldexp(1.0F, dtype_bits(q.dtype()));
  const float low = with_sign ? -values_of / 2 : 0.0F, high = low + values_of - 1;
  const std::vector<float> offsets = zero.empty() ? std::vector<float>() : decode_small(zero);
  std::vector<float> values(static_cast<std::size_t>(q.elements()));
  visit(Reals{}, x.dtype(), [&]<class T>() {
    visit(Reals{}, scale.dtype(), [&]<class S>() {
      const auto in = x.as<T>();
      const auto scales = scale.as<S>();
      for_each_line(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
        for (std::int64_t i = 0; i < count; ++i) {
          const auto s = static_cast<std::size_t>(at + i * step), k = static_cast<std::size_t>(first + i);
          const float offset = offsets.empty() ? 0.0F : offsets[s];
          const float quotient = convert<float>(in[k]) / convert<float>(scales[s]);
          const float rounded = integers ? std::nearbyint(quotient) + offset : quotient + offset;
          values[k] = !integers ? rounded : rounded >= low ? std::min(rounded, high) : rounded < low ? low : offset;
        }
      });
    });
  });
  encode_small(values, saturate, q);
}

void dequantize_small(TensorView q, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView x) {
  const std::vector<float> values = decode_small(q);
  const std::vector<float> offsets = zero.empty() ? std::vector<float>() : decode_small(zero);
  visit(Reals{}, x.dtype(), [&]<class T>() {
    using C = Compute<T>;
    const auto scales = scale.as<T>();
    const auto out = x.as<T>();
    for_each_line(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
      for (std::int64_t i = 0; i < count; ++i) {
        const auto s = static_cast<std::size_t>(at + i * step), k = static_cast<std::size_t>(first + i);
        const float offset = offsets.empty() ? 0.0F : offsets[s];
        out[k] = convert<T>(static_cast<C>(values[k] - offset) * convert<C>(scales[s]));
      }
    });
  });
}

}  // namespace

void quantize(TensorView x, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView q,
              bool saturate) {
  if (is_small(q.dtype())) return quantize_small(x, scale, zero, layout, q, saturate);
  if (in_vectors(x, scale, q, layout)) {
    for_each_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
      quantize_run(x.as<float>().data() + first, count, at_scale(scale, zero, at), q.dtype() == DType::i8,
                   reinterpret_cast<std::uint8_t*>(q.data()) + first);
    });
    return;
  }
  visit(Quantized{}, q.dtype(), [&]<class Q>() {
    visit(Reals{}, x.dtype(), [&]<class T>() {
      using C = Compute<T>;
      visit(Reals{}, scale.dtype(), [&]<class S>() {
        const auto in = x.as<T>();
        const auto scales = scale.as<S>();
        const auto out = q.as<Q>();
        for_each_line(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
          for (std::int64_t i = 0; i < count; ++i) {
            const auto s = static_cast<std::size_t>(at + i * step);
            const C offset = zero.empty() ? C(0) : static_cast<C>(zero.as<Q>()[s]);
            const auto k = static_cast<std::size_t>(first + i);
            out[k] = quantized<Q, C>(convert<C>(in[k]), convert<C>(scales[s]), offset);
          }
        });
      });
    });
  });
}

namespace {

// Two elements to a byte, the first one in the low bits.
std::int32_t four_bits(const TensorView& view, std::int64_t at) {
  const auto byte = static_cast<std::uint32_t>(view.data()[at / 2]);
  const auto nibble = static_cast<std::int32_t>((byte >> (at % 2 * 4)) & 0xFU);
  return view.dtype() == DType::i4 && nibble > 7 ? nibble - 16 : nibble;
}

void dequantize_four_bits(TensorView q, TensorView scale, TensorView zero, const ScaleLayout& layout,
                          MutableTensorView x) {
  visit(Reals{}, x.dtype(), [&]<class T>() {
    using C = Compute<T>;
    const auto scales = scale.as<T>();
    const auto out = x.as<T>();
    for_each_line(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int32_t offset = zero.empty() ? 0 : four_bits(zero, at + i * step);
        out[static_cast<std::size_t>(first + i)] =
            convert<T>(static_cast<C>(four_bits(q, first + i) - offset) *
                       convert<C>(scales[static_cast<std::size_t>(at + i * step)]));
      }
    });
  });
}

}  // namespace

void dequantize(TensorView q, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView x) {
  if (q.dtype() == DType::i4 || q.dtype() == DType::u4) return dequantize_four_bits(q, scale, zero, layout, x);
  if (is_small(q.dtype())) return dequantize_small(q, scale, zero, layout, x);
  if (in_vectors(x, scale, q, layout)) {
    for_each_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
      dequantize_run({reinterpret_cast<const std::uint8_t*>(q.data()) + first, q.dtype() == DType::i8}, count,
                     at_scale(scale, zero, at), x.as<float>().data() + first);
    });
    return;
  }
  visit(Dequantized{}, q.dtype(), [&]<class Q>() {
    visit(Reals{}, x.dtype(), [&]<class T>() {
      using C = Compute<T>;
      const auto in = q.as<Q>();
      const auto scales = scale.as<T>();
      const auto out = x.as<T>();
      for_each_line(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
        for (std::int64_t i = 0; i < count; ++i) {
          const auto s = static_cast<std::size_t>(at + i * step);
          const std::int64_t offset = zero.empty() ? 0 : static_cast<std::int64_t>(zero.as<Q>()[s]);
          const auto k = static_cast<std::size_t>(first + i);
          out[k] = convert<T>(static_cast<C>(static_cast<std::int64_t>(in[k]) - offset) * convert<C>(scales[s]));
        }
      });
    });
  });
}

}  // namespace skerry::kernels
