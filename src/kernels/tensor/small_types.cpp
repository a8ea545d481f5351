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
  if (dtype == DType::f4e2m1) return {1, 1, 0x7, false, false};
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

// Elements that share a byte, the first one in the low bits.
bool is_packed(DType dtype) {
  return dtype_bits(dtype) < 8 && dtype != DType::string;
}

bool is_signed_integer(DType dtype) {
  return dtype == DType::i4 || dtype == DType::i2;
}

// 2^(code - 127); no sign, no zero.
constexpr int kScaleBias = 127;
constexpr std::uint8_t kScaleNan = 0xFF;

float decode_scale(std::uint8_t code) {
  return code == kScaleNan ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0F, code - kScaleBias);
}

// To the next power of two: up where `up`. What is no positive number is none here.
std::uint8_t encode_scale(float value, bool saturate) {
  if (std::isnan(value) || std::isinf(value) || value <= 0.0F) {
    if (value == 0.0F && saturate) return 0;
    return std::isinf(value) && value > 0.0F && saturate ? kScaleNan - 1 : kScaleNan;
  }
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  const int code = exponent - 1 + kScaleBias + (fraction > 0.5F ? 1 : 0);
  if (code < 0) return 0;
  if (code >= kScaleNan) return saturate ? kScaleNan - 1 : kScaleNan;
  return static_cast<std::uint8_t>(code);
}

// One element as a code of its own byte.
float decode_code(std::uint8_t code, DType dtype) {
  if (dtype == DType::f8e8m0) return decode_scale(code);
  if (dtype == DType::f4e2m1)
    return decode(static_cast<std::uint8_t>((code & 7) | ((code & 8) << 4)), format_of(dtype));
  if (!is_packed(dtype)) return decode(code, format_of(dtype));
  const int values = 1 << dtype_bits(dtype);
  return static_cast<float>(is_signed_integer(dtype) && code >= values / 2 ? code - values : code);
}

std::uint8_t encode_code(float value, DType dtype, bool saturate) {
  if (dtype == DType::f8e8m0) return encode_scale(value, saturate);
  if (dtype == DType::f4e2m1) {
    // It has neither: infinity is the largest number, and not-a-number -0, as ml_dtypes has it.
    if (std::isnan(value)) return 8;
    const std::uint8_t code = encode(value, format_of(dtype), true);
    return static_cast<std::uint8_t>((code & 7) | ((code & 0x80) >> 4));
  }
  if (!is_packed(dtype)) return encode(value, format_of(dtype), saturate);
  const float bounded = std::isnan(value) ? 0.0F : std::min(std::max(value, -1e9F), 1e9F);
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(bounded) & ((1 << dtype_bits(dtype)) - 1));
}

}  // namespace

bool is_small(DType dtype) noexcept {
  switch (dtype) {
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0:
      return true;
    default:
      return is_packed(dtype);
  }
}

std::vector<float> decode_small(TensorView view) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(view.data());
  const auto bits = static_cast<std::size_t>(dtype_bits(view.dtype()));
  const std::size_t per_byte = 8 / bits;
  std::vector<float> out(static_cast<std::size_t>(view.elements()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const unsigned code = static_cast<unsigned>(bytes[i / per_byte]) >> (i % per_byte * bits) & ((1U << bits) - 1);
    out[i] = decode_code(static_cast<std::uint8_t>(code), view.dtype());
  }
  return out;
}

void encode_small(std::span<const float> values, bool saturate, MutableTensorView view) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(view.data());
  const auto bits = static_cast<std::size_t>(dtype_bits(view.dtype()));
  const std::size_t per_byte = 8 / bits;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const unsigned code = encode_code(values[i], view.dtype(), saturate);
    const std::size_t place = i % per_byte;
    bytes[i / per_byte] = static_cast<std::uint8_t>((place == 0 ? 0U : bytes[i / per_byte]) | code << (place * bits));
  }
}

}  // namespace skerry::kernels
