#include "kernels/tensor/small_types.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace skerry::kernels {
namespace {

// A sign, exponent and mantissa bits; `unsigned_zero` types have one not-a-number, where minus zero would be.
struct Format {
  int mantissa, bias, most;  ///< most: code of the largest finite number
  bool has_infinity, unsigned_zero;
};

Format format_of(DType dtype) {
  if (dtype == DType::f8e4m3fn) return {3, 7, 0x7E, false, false};
  if (dtype == DType::f8e4m3fnuz) return {3, 8, 0x7F, false, true};
  if (dtype == DType::f8e5m2) return {2, 15, 0x7B, true, false};
  return {2, 16, 0x7F, false, true};
}

float decode(std::uint8_t code, const Format& f) {
  const int magnitude = code & 0x7F;
  if (f.unsigned_zero && code == 0x80) return std::numeric_limits<float>::quiet_NaN();
  if (magnitude > f.most) {
    const bool infinite = f.has_infinity && magnitude == f.most + 1;
    const float value = infinite ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    return code >= 0x80 ? -value : value;
  }
  const int exponent = magnitude >> f.mantissa, fraction = magnitude & ((1 << f.mantissa) - 1);
  const float value =
      exponent == 0 ? std::ldexp(static_cast<float>(fraction), 1 - f.bias - f.mantissa)
                    : std::ldexp(static_cast<float>(fraction + (1 << f.mantissa)), exponent - f.bias - f.mantissa);
  return code >= 0x80 ? -value : value;
}

std::uint8_t encode(float value, const Format& f, bool saturate) {
  const int sign = std::signbit(value) ? 0x80 : 0;
  const int not_a_number = f.unsigned_zero ? 0x80 : 0x7F | sign;
  if (std::isnan(value)) return static_cast<std::uint8_t>(not_a_number);
  const float most = decode(static_cast<std::uint8_t>(f.most), f);
  const float magnitude = std::abs(value);
  int code = 0;
  if (!std::isinf(value)) {
    const int exponent = magnitude == 0.0F ? 1 - f.bias : std::max(std::ilogb(magnitude), 1 - f.bias);
    const float step = std::ldexp(1.0F, exponent - f.mantissa);
    const float rounded = std::nearbyint(magnitude / step) * step;
    if (rounded <= most) {
      const int units = static_cast<int>(std::nearbyint(rounded / std::ldexp(1.0F, exponent - f.mantissa)));
      // A mantissa that rounds up into the next power carries into the exponent by itself.
      code = units < (1 << f.mantissa) ? units : ((exponent + f.bias - 1) << f.mantissa) + units;
      if (code == 0 && f.unsigned_zero) return 0;
      return static_cast<std::uint8_t>(code | sign);
    }
  }
  if (saturate) return static_cast<std::uint8_t>(f.most | sign);
  if (f.has_infinity) return static_cast<std::uint8_t>((f.most + 1) | sign);
  return static_cast<std::uint8_t>(not_a_number);
}

bool is_four(DType dtype) {
  return dtype == DType::i4 || dtype == DType::u4;
}

}  // namespace

bool is_small(DType dtype) noexcept {
  return is_four(dtype) || dtype == DType::f8e4m3fn || dtype == DType::f8e4m3fnuz || dtype == DType::f8e5m2 ||
         dtype == DType::f8e5m2fnuz;
}

std::vector<float> decode_small(TensorView view) {
  const auto count = static_cast<std::size_t>(view.elements());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(view.data());
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (is_four(view.dtype())) {
      const int nibble = (bytes[i / 2] >> (i % 2 * 4)) & 0xF;
      out[i] = static_cast<float>(view.dtype() == DType::i4 && nibble > 7 ? nibble - 16 : nibble);
    } else {
      out[i] = decode(bytes[i], format_of(view.dtype()));
    }
  }
  return out;
}

void encode_small(std::span<const float> values, bool saturate, MutableTensorView view) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(view.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_four(view.dtype())) {
      bytes[i] = encode(values[i], format_of(view.dtype()), saturate);
      continue;
    }
    const float bounded = std::isnan(values[i]) ? 0.0F : std::min(std::max(values[i], -1e9F), 1e9F);
    const auto nibble = static_cast<std::uint8_t>(static_cast<std::int32_t>(bounded) & 0xF);
    const auto shift = static_cast<unsigned>(i % 2 * 4);
    const auto kept = static_cast<std::uint8_t>(i % 2 == 0 ? 0 : bytes[i / 2] & 0x0F);
    bytes[i / 2] = static_cast<std::uint8_t>(kept | (nibble << shift));
  }
}

}  // namespace skerry::kernels
