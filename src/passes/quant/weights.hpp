/// \file
/// Constant weights as small integers and scales.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>
#include <vector>

namespace skerry::passes::quant {

struct SmallWeights {
  Tensor q, scale;
  std::int64_t axis = 0,
               block =
                   0;  ///< attributes of DequantizeLinear; block 0: one scale for each index of the axis, or one alone
};

/// i8 in [-127, 127], symmetric; one scale for each index of `axis`, or one for all.
SmallWeights eight_bits(const Tensor& weights, std::int64_t axis, bool per_channel);
/// i4 in [-8, 7]; each `block` elements along `axis` share the scale that gives the least squared error.
SmallWeights four_bits(const Tensor& weights, std::int64_t axis, std::int64_t block);
/// False for an axis so short (one channel of a depthwise convolution, three of an image) that scales would cost as
/// much as four bits save; such weights are few.
bool fits_four_bits(const Tensor& weights, std::int64_t axis) noexcept;
/// i32 of round(bias / (x_scale * w_scale)), and those scales.
SmallWeights whole_bias(const Tensor& bias, float x_scale, const Tensor& w_scale);

}  // namespace skerry::passes::quant
