/// \file
/// Functions of elements of f16 and bf16, computed in vectors of f32.
#pragma once

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

/// Scalar steps by which one element that is widened or rounded in vectors costs more than an f32.
inline constexpr double kStepsOfAHalf = 0.3;

}  // namespace skerry::kernels
