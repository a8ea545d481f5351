/// \file
/// Between reals and small integers: q = saturate(round(x / scale) + zero), x = (q - zero) * scale.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>

namespace skerry::kernels {

/// Which scale belongs to which element: x seen as [outer, length, inner], one scale for each `block` elements along
/// the middle axis. per_inner: each inner position has scales of its own (blocked quantisation).
struct ScaleLayout {
  std::int64_t outer = 1, length = 1, inner = 1;
  std::int64_t block = 1;
  std::int64_t scales = 1;  ///< along the middle axis
  bool per_inner = false;
};

/// Rounds to nearest, ties to even, in x's own precision (float for halves). x: reals; scale: reals; zero: q's dtype,
/// or empty for 0; q: i8, u8, i16, u16;
/// i4, u4 and 8-bit floats, which take the quotient as it is and go past their largest number as `saturate` says.
void quantize(TensorView x, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView q,
              bool saturate = true);

/// In float (double for f64 scales). q: i4, u4, i8, u8, i16, u16, i32, 8-bit floats; zero: q's dtype, or empty for 0;
/// x: the scale's dtype.
void dequantize(TensorView q, TensorView scale, TensorView zero, const ScaleLayout& layout, MutableTensorView x);

}  // namespace skerry::kernels
