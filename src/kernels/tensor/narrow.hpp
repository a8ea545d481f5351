/// \file
/// Elements of other types as f32 and back, in vectors.
#pragma once

#include <cstddef>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry::kernels {

/// y[i] = x[i] as f32, on the calling thread; x and y do not overlap. f32, f64, f16, bf16, integers up to 32 bits with
/// a sign and up to 16 without, bool.
void widen(DType from, const std::byte* x, std::size_t count, float* y);

/// y[i] = x[i] by convert() of numeric.hpp, on the calling thread; x and y do not overlap. The same types.
void narrow(DType to, const float* x, std::size_t count, std::byte* y);

/// Whole tensors of these types, shared by the threads.
void widen_all(TensorView x, std::span<float> y);
void narrow_all(std::span<const float> x, MutableTensorView y);

/// f16 and bf16.
constexpr bool is_half_dtype(DType dtype) noexcept {
  return dtype == DType::f16 || dtype == DType::bf16;
}

/// Whether convert() from one of these types to the other is the same as through f32.
constexpr bool converts_through_f32(DType from, DType to) noexcept {
  const auto is_short = [](DType d) {
    return d == DType::i8 || d == DType::u8 || d == DType::i16 || d == DType::u16 || d == DType::boolean;
  };
  const auto is_float = [](DType d) { return d == DType::f32 || is_half_dtype(d); };
  const auto widens = [&](DType d) { return is_float(d) || is_short(d) || d == DType::f64 || d == DType::i32; };
  if (from == to || !widens(from) || !widens(to)) return false;
  return is_float(from) || is_float(to) || (is_short(from) && to == DType::f64);
}

}  // namespace skerry::kernels
