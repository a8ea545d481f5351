/// \file
/// Functions of two elements under NumPy broadcasting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>

namespace skerry::kernels {

/// The functions of binary.def: both inputs and the result have one dtype.
enum class Binary : std::uint8_t {
#define SKERRY_BINARY(name, real, integer) name,
#include "kernels/tensor/binary.def"
#undef SKERRY_BINARY
};

/// out = f(a, b); a or b may be out's memory when it has out's shape. Reals and integers; integers wrap, and a division
/// by zero gives 0 (ONNX leaves it open).
void binary(Binary f, TensorView a, TensorView b, MutableTensorView out);

enum class Comparison : std::uint8_t { equal, less, less_or_equal, greater, greater_or_equal };
/// out (bool) = a ? b. Numbers; equal also bool.
void compare(Comparison f, TensorView a, TensorView b, MutableTensorView out);

enum class Logic : std::uint8_t { logical_and, logical_or, logical_xor };
/// bool x bool -> bool.
void logic(Logic f, TensorView a, TensorView b, MutableTensorView out);

/// out = a ^ b in a's dtype; b any number type. Integers by repeated squaring; a negative exponent of an integer gives
/// 1/a^|b| rounded to 0.
void power(TensorView a, TensorView b, MutableTensorView out);

/// out = condition ? a : b, any dtype of 1, 2, 4, 8 or 16 bytes.
void where(TensorView condition, TensorView a, TensorView b, MutableTensorView out);

/// f32 add, sub, mul, div, maximum, minimum in vectors of the best instruction set.
void binary_f32(Binary f, TensorView a, TensorView b, MutableTensorView out);
/// The same on `count` elements side by side, on the calling thread; an operand that does not move is one number.
void binary_f32_run(Binary f, const float* a, bool a_moves, const float* b, bool b_moves, float* out,
                    std::size_t count);

}  // namespace skerry::kernels
