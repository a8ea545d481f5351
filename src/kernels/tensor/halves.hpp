/// \file
/// Functions of elements of f16 and bf16, computed in vectors of f32, and what gives or takes truth values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>

#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {

/// unary_f32() of elements that are widened and rounded again. x and y may be the same memory.
void unary_half(Unary f, UnaryParameters p, TensorView x, MutableTensorView y);
/// The same of binary_f32(); a or b may be out's memory when it has out's shape.
void binary_half(Binary f, TensorView a, TensorView b, MutableTensorView out);

/// compare() of f32, in vectors.
void compare_f32(Comparison f, TensorView a, TensorView b, MutableTensorView out);

/// out[i] = c[i * sc] ? a[i * sa] : b[i * sb] for elements of four bytes and truth values, on the calling thread;
/// strides are 0 or 1, and out may be a or b.
void choose_four_bytes(const std::byte* c, std::int64_t sc, const std::byte* a, std::int64_t sa, const std::byte* b,
                       std::int64_t sb, std::byte* out, std::int64_t count);

/// Scalar steps by which one element that is widened or rounded in vectors costs more than an f32.
inline constexpr double kStepsOfAHalf = 0.15;

}  // namespace skerry::kernels
