/// \file
/// Element types below 16 bits: 8-bit floats and 4-bit integers, to and from float.
#pragma once

#include <skerry/tensor.hpp>
#include <span>
#include <vector>

namespace skerry::kernels {

/// f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz (Micikevicius et al., arXiv:2209.05433; Noune et al., arXiv:2206.02915), i4
/// and u4 (two to a byte, the first one in the low bits).
bool is_small(DType dtype) noexcept;

/// The values of all elements.
std::vector<float> decode_small(TensorView view);
/// Rounds to nearest, ties to even. Past the largest number: that number if `saturate`, else infinity, or not-a-number
/// where the type has no infinity. To integers reals are cut off and wrap. Precondition: as many values as elements.
void encode_small(std::span<const float> values, bool saturate, MutableTensorView view);

}  // namespace skerry::kernels
