/// \file
/// Element types below 16 bits: floats of 8 and 4 bits, integers of 4 and 2 bits, to and from float.
#pragma once

#include <skerry/tensor.hpp>
#include <span>
#include <vector>

namespace skerry::kernels {

/// f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz (Micikevicius et al., arXiv:2209.05433; Noune et al., arXiv:2206.02915),
/// f8e8m0 and f4e2m1 (OCP Microscaling Formats 1.0), i4, u4, i2 and u2; elements of less than 8 bits share a byte, the
/// first one in the low bits.
bool is_small(DType dtype) noexcept;

/// The values of all elements.
std::vector<float> decode_small(TensorView view);
/// Rounds to nearest, ties to even. Past the largest number: that number if `saturate`, else infinity, or not-a-number
/// where the type has no infinity. To integers reals are cut off and wrap. Precondition: as many values as elements.
void encode_small(std::span<const float> values, bool saturate, MutableTensorView view);

}  // namespace skerry::kernels
