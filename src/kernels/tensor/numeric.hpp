/// \file
/// Element types that C++ 20 lacks (float16, bfloat16), arithmetic that no input can break, and dispatch on a dtype.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <skerry/error.hpp>
#include <skerry/tensor.hpp>
#include <string>
#include <type_traits>

namespace skerry::kernels {

/// IEEE 754 binary16 in storage; computed with as float.
struct Float16 {
  std::uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value) noexcept;  ///< nearest, ties to even; past 65504 infinity
  explicit operator float() const noexcept;
};

/// bfloat16 in storage: the upper half of a float; computed with as float.
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) noexcept;  ///< nearest, ties to even
  explicit operator float() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

inline BFloat16::BFloat16(float value) noexcept {
  const auto word = std::bit_cast<std::uint32_t>(value);
  if (value != value) {
    bits = static_cast<std::uint16_t>((word >> 16) | 0x40U);
  } else {
    bits = static_cast<std::uint16_t>((word + 0x7fffU + ((word >> 16) & 1U)) >> 16);
  }
}

inline Float16::Float16(float value) noexcept {
  const auto word = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((word >> 16) & 0x8000U);
  const std::uint32_t magnitude = word & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U;  // not a number
  } else if (magnitude >= 0x477ff000U) {
    half = 0x7c00U;  // rounds past the largest finite number
  } else if (magnitude < 0x38800000U) {
    // Adding 0.5 aligns the subnormal's last bit with the float's, so that the addition itself rounds to even.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    half = std::bit_cast<std::uint32_t>(aligned) - 0x3f000000U;
  } else {
    half = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - 0x38000000U) >> 13;
  }
  bits = static_cast<std::uint16_t>(sign | half);
}

inline Float16::operator float() const noexcept {
  const std::uint32_t sign = (static_cast<std::uint32_t>(bits) & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xffU : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

template <class T>
inline constexpr bool is_half = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
/// True for f32, f64, f16 and bf16.
template <class T>
inline constexpr bool is_real = std::is_floating_point_v<T> || is_half<T>;
/// What arithmetic on T is done in.
template <class T>
using Compute = std::conditional_t<is_half<T>, float, T>;
/// What sums over T are kept in.
template <class T>
using Accumulator = std::conditional_t<is_real<T>, double, T>;

/// Converts between any two number types without undefined behaviour: integers wrap, reals outside an integer's range
/// go to its nearest end, not-a-number to 0.
template <class To, class From>
To convert(From value) noexcept {
  if constexpr (is_half<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (is_half<To>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (value != value) return To(0);
    constexpr auto kLow = static_cast<From>(std::numeric_limits<To>::min());
    // 2^digits is exact in any floating type, max() itself may not be.
    const From high = std::ldexp(From(1), std::numeric_limits<To>::digits);
    if (value <= kLow) return std::numeric_limits<To>::min();
    if (value >= high) return std::numeric_limits<To>::max();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

/// A list of element types a kernel is made for.
template <class... Ts>
struct Types {
  static bool contains(DType dtype) noexcept;
};

}  // namespace skerry::kernels

namespace skerry {
template <>
constexpr DType dtype_of<kernels::Float16>() {
  return DType::f16;
}
template <>
constexpr DType dtype_of<kernels::BFloat16>() {
  return DType::bf16;
}
}  // namespace skerry

namespace skerry::kernels {

template <class... Ts>
bool Types<Ts...>::contains(DType dtype) noexcept {
  return ((dtype == dtype_of<Ts>()) || ...);
}

template <class A, class B>
struct JoinedTypes;
template <class... As, class... Bs>
struct JoinedTypes<Types<As...>, Types<Bs...>> {
  using type = Types<As..., Bs...>;
};
template <class A, class B>
using Join = typename JoinedTypes<A, B>::type;

using Reals = Types<float, double, Float16, BFloat16>;
using SignedIntegers = Types<std::int8_t, std::int16_t, std::int32_t, std::int64_t>;
using UnsignedIntegers = Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using Integers = Join<SignedIntegers, UnsignedIntegers>;
using Numbers = Join<Reals, Integers>;
using NumbersAndBool = Join<Numbers, Types<bool>>;

/// Calls f.operator()<T>() for the T of `dtype`. Errors: internal when the list lacks it (whoever chose the kernel has
/// asked contains() before).
template <class... Ts, class F>
void visit(Types<Ts...>, DType dtype, F&& f) {
  const bool found = ((dtype == dtype_of<Ts>() ? (f.template operator()<Ts>(), true) : false) || ...);
  if (!found) throw Error(ErrorCode::internal, "a kernel was given " + std::string(dtype_name(dtype)));
}

}  // namespace skerry::kernels
