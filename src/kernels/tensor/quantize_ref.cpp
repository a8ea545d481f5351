#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/narrow.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/quantize.hpp"
#include "kernels/tensor/quantized.hpp"
#include "kernels/tensor/reduce.hpp"
#include "kernels/tensor/small_types.hpp"
#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {
namespace {

using Quantized = Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>;
using Dequantized = Join<Quantized, Types<std::int32_t>>;

constexpr std::size_t kLineGrain = 16;

// Whether neighbours along the middle axis have a scale each.
bool by_element(const ScaleLayout& l) {
  return l.inner == 1 && l.block == 1;
}

// Calls line(first element, elements, first scale, step of the scale) for runs whose scales lie in order: elements that
// stand side by side share one scale, or have one each.
template <class Line>
void for_each_line(const ScaleLayout& l, Line line) {
  const std::int64_t most = by_element(l) ? l.length : l.inner == 1 ? l.block : 1;  // places of the axis in a line
  const std::int64_t lines = (l.length + most - 1) / std::max<std::int64_t>(most, 1);
  base::parallel_for(0, static_cast<std::size_t>(l.outer * lines), kLineGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const std::int64_t outer = at / lines, first = at % lines * most, middle = first / l.block;
      const std::int64_t scale = l.per_inner ? (outer * l.scales + middle) * l.inner : middle;
      line((outer * l.length + first) * l.inner, std::min(most, l.length - first) * l.inner, scale,
           by_element(l) || (l.per_inner && l.inner != 1) ? 1 : 0);
    }
  });
}

// Elements of every type are computed with as f64, a piece of a line at a time: a loop for each triple of types would
// be a hundred loops.
constexpr std::int64_t kPiece = 128;
using Piece = std::array<double, kPiece>;

// Elements at, at + step, ... of a view; zeros of an empty one.
void load(const TensorView& view, std::int64_t at, std::int64_t step, std::int64_t count, double* to) {
  std::fill_n(to, count, 0.0);
  if (view.empty()) return;
  visit(Join<Reals, Dequantized>{}, view.dtype(), [&]<class T>() {
    const T* const from = reinterpret_cast<const T*>(view.data()) + at;
    for (std::int64_t i = 0; i < count; ++i) to[i] = convert<double>(from[i * step]);
  });
}
void store(const double* from, std::int64_t count, const MutableTensorView& view, std::int64_t at) {
  visit(Join<Reals, Quantized>{}, view.dtype(), [&]<class T>() {
    T* const to = reinterpret_cast<T*>(view.data()) + at;
    for (std::int64_t i = 0; i < count; ++i) to[i] = convert<T>(from[i]);
  });
}

// Calls piece(first element, elements, first scale, step of the scale).
template <class Use>
void for_each_short_piece(const ScaleLayout& l, Use use) {
  for_each_line(l, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
    for (std::int64_t i = 0; i < count; i += kPiece) use(first + i, std::min(kPiece, count - i), at + i * step, step);
  });
}

// In f64 where x is, else in f32.
double quotient(double x, double scale, bool wide) {
  return wide ? x / scale : static_cast<double>(static_cast<float>(x) / static_cast<float>(scale));
}
double rounded(double x, double scale, double zero, bool wide) {
  const double whole = std::nearbyint(quotient(x, scale, wide));
  return wide ? whole + zero : static_cast<double>(static_cast<float>(whole) + static_cast<float>(zero));
}
// Not-a-number goes to the zero point.
double kept(double value, double low, double high, double zero) {
  if (!(value >= low)) return value < low ? low : zero;
  return std::min(value, high);
}
double real(double whole, double scale, bool wide) {
  return wide ? whole * scale : static_cast<double>(static_cast<float>(whole) * static_cast<float>(scale));
}

// Whether all elements of a line have one scale.
bool shares_scales(const ScaleLayout& l) {
  return by_element(l) ? l.length == 1 : l.inner == 1 || !l.per_inner;
}

// A line of one scale between f32 and 8 bits, as most are, goes in vectors.
bool in_vectors(const TensorView& x, const TensorView& scale, const TensorView& q, const ScaleLayout& layout) {
  const bool eight = q.dtype() == DType::u8 || q.dtype() == DType::i8;
  return eight && x.dtype() == DType::f32 && scale.dtype() == DType::f32 && shares_scales(layout);
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

// The same between f32 and integers of 16 bits, or from those of 32.
bool is_wide(const TensorView& q, const TensorView& x, const TensorView& scale, const ScaleLayout& layout) {
  const bool wide = q.dtype() == DType::i16 || q.dtype() == DType::u16 || q.dtype() == DType::i32;
  return wide && x.dtype() == DType::f32 && scale.dtype() == DType::f32 && shares_scales(layout);
}

float offset_at(const TensorView& zero, std::int64_t at) {
  if (zero.empty()) return 0.0F;
  const auto s = static_cast<std::size_t>(at);
  return zero.dtype() == DType::i16 ? static_cast<float>(zero.as<std::int16_t>()[s])
                                    : static_cast<float>(zero.as<std::uint16_t>()[s]);
}

void quantize_wide(const float* x, std::int64_t count, float scale, float offset, DType dtype, std::byte* q) {
  std::array<float, 1024> floats;
  for (std::int64_t i = 0; i < count; i += std::ssize(floats)) {
    const auto here = static_cast<std::size_t>(std::min<std::int64_t>(std::ssize(floats), count - i));
    binary_f32_run(Binary::div, x + i, true, &scale, false, floats.data(), here);
    unary_f32_run(Unary::round_, {}, floats.data(), floats.data(), here);
    float most = 0.0F;
    reduce_f32(Reduction::max, floats.data(), 1, static_cast<std::int64_t>(here), 1, &most);
    if (most != most)  // one of them is no number, and becomes the zero point
      for (float& v : std::span(floats).first(here)) v = v == v ? v : 0.0F;
    binary_f32_run(Binary::add, floats.data(), true, &offset, false, floats.data(), here);
    narrow(dtype, floats.data(), here, q + 2 * i);
  }
}

// Types below 8 bits and 8-bit floats go through their values in float.
void quantize_small(TensorView x, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView q,
                    bool saturate) {
  const bool with_sign = q.dtype() == DType::i4 || q.dtype() == DType::i2;
  const bool integers = with_sign || q.dtype() == DType::u4 || q.dtype() == DType::u2;
  const double values_of = std::ldexp(1.0, dtype_bits(q.dtype()));
  const double low = with_sign ? -values_of / 2 : 0.0, high = low + values_of - 1;
  const std::vector<float> offsets = zero.empty() ? std::vector<float>() : decode_small(zero);
  std::vector<float> values(static_cast<std::size_t>(q.elements()));
  for_each_short_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
    Piece in, scales;
    load(x, first, 1, count, in.data());
    load(scale, at, step, count, scales.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto s = static_cast<std::size_t>(at) + i * static_cast<std::size_t>(step);
      const double offset = offsets.empty() ? 0.0 : static_cast<double>(offsets[s]);
      const double value = integers ? kept(rounded(in[i], scales[i], offset, false), low, high, offset)
                                    : quotient(in[i], scales[i], false) + offset;
      values[static_cast<std::size_t>(first) + i] = static_cast<float>(value);
    }
  });
  encode_small(values, saturate, q);
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
  if (is_wide(q, x, scale, layout)) {
    for_each_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
      quantize_wide(x.as<float>().data() + first, count, scale.as<float>()[static_cast<std::size_t>(at)],
                    offset_at(zero, at), q.dtype(), q.data() + 2 * first);
    });
    return;
  }
  double low = 0.0, high = 0.0;
  visit(Quantized{}, q.dtype(), [&]<class Q>() {
    low = std::numeric_limits<Q>::min();
    high = std::numeric_limits<Q>::max();
  });
  const bool wide = x.dtype() == DType::f64;
  for_each_short_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
    Piece values, scales, offsets;
    load(x, first, 1, count, values.data());
    load(scale, at, step, count, scales.data());
    load(zero, at, step, count, offsets.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      values[i] = kept(rounded(values[i], scales[i], offsets[i], wide), low, high, offsets[i]);
    store(values.data(), count, q, first);
  });
}

namespace {

// Two elements to a byte, the first one in the low bits.
std::int32_t four_bits(const TensorView& view, std::int64_t at) {
  const auto byte = static_cast<std::uint32_t>(view.data()[at / 2]);
  const auto nibble = static_cast<std::int32_t>((byte >> (at % 2 * 4)) & 0xFU);
  return view.dtype() == DType::i4 && nibble > 7 ? nibble - 16 : nibble;
}

// The elements of a view as load() gives them, of types below 8 bits too.
class Loader {
 public:
  explicit Loader(const TensorView& view)
      : view_(view), nibbles_(view.dtype() == DType::i4 || view.dtype() == DType::u4) {
    if (!nibbles_ && !view.empty() && is_small(view.dtype())) decoded_ = decode_small(view);
  }
  void operator()(std::int64_t at, std::int64_t step, std::int64_t count, double* to) const {
    if (view_.empty() || (!nibbles_ && decoded_.empty())) return load(view_, at, step, count, to);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t k = at + i * step;
      to[i] = nibbles_ ? four_bits(view_, k) : static_cast<double>(decoded_[static_cast<std::size_t>(k)]);
    }
  }

 private:
  TensorView view_;
  bool nibbles_;
  std::vector<float> decoded_;
};

}  // namespace

void dequantize(TensorView q, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView x) {
  if (in_vectors(x, scale, q, layout)) {
    for_each_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
      dequantize_run({reinterpret_cast<const std::uint8_t*>(q.data()) + first, q.dtype() == DType::i8}, count,
                     at_scale(scale, zero, at), x.as<float>().data() + first);
    });
    return;
  }
  if (is_wide(q, x, scale, layout) && (q.dtype() != DType::i32 || zero.empty())) {
    const std::size_t width = q.dtype() == DType::i32 ? 4 : 2;
    for_each_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
      float* const to = x.as<float>().data() + first;
      const auto n = static_cast<std::size_t>(count);
      const float offset = offset_at(zero, at);
      widen(q.dtype(), q.data() + static_cast<std::size_t>(first) * width, n, to);
      if (offset != 0.0F) binary_f32_run(Binary::sub, to, true, &offset, false, to, n);
      binary_f32_run(Binary::mul, to, true, &scale.as<float>()[static_cast<std::size_t>(at)], false, to, n);
    });
    return;
  }
  const bool wide = x.dtype() == DType::f64;
  const Loader elements(q), zeros(zero);
  for_each_short_piece(layout, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
    Piece values, scales, offsets;
    elements(first, 1, count, values.data());
    load(scale, at, step, count, scales.data());
    zeros(at, step, count, offsets.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      values[i] = real(values[i] - offsets[i], scales[i], wide);
    store(values.data(), count, x, first);
  });
}

}  // namespace skerry::kernels
