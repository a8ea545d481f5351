/// \file
/// Functions of one element, applied to every element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry::kernels {

/// The functions of unary.def.
enum class Unary : std::uint8_t {
#define SKERRY_UNARY(name, formula) name,
#include "kernels/tensor/unary.def"
#undef SKERRY_UNARY
};

/// Parameters a and b of a formula.
struct UnaryParameters {
  double a = 0.0, b = 0.0;
};

/// y[i] = f(x[i]). x and y: same dtype and shape, may be the same memory. Reals; abs_, neg, relu, sign also integers.
void unary_ref(Unary f, UnaryParameters p, TensorView x, MutableTensorView y);
bool unary_takes(Unary f, DType dtype) noexcept;

/// The same on f32 in vectors; within 5 ulp of the exact value (sin and cos beyond a few turns 1e-7 of 1), and 1e-6
/// relative of erf and gelu. x and y may be the same memory.
void unary_f32(Unary f, UnaryParameters p, std::span<const float> x, std::span<float> y);
/// The same on the calling thread alone.
void unary_f32_run(Unary f, UnaryParameters p, const float* x, float* y, std::size_t count);

/// logical_not: y = !x on bool.
void logical_not(TensorView x, MutableTensorView y);
/// y = isnan(x) or (isinf(x) with the signs asked for), reals -> bool.
void is_nan(TensorView x, MutableTensorView y);
void is_inf(TensorView x, MutableTensorView y, bool positive, bool negative);

}  // namespace skerry::kernels
