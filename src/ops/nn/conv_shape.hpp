/// \file
/// What convolutions share, of reals and of quantised elements: their type rule and their loops.
#pragma once

#include <span>

#include "kernels/tensor/conv.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Which inputs are what.
struct ConvInputs {
  std::size_t x, weights, bias;
};

/// Gives output 0 dtype `result` and the shape that attributes, x and weights imply. Errors: type_mismatch.
void infer_conv(TypeContext& context, const ConvInputs& at, DType result);

/// Constant f32 weights of a convolution, scaled per output where input `scale` says so.
struct ConvWeights {
  Tensor scaled;                  ///< empty where they stand as they are
  std::span<const float> values;  ///< empty where they are not constant
  ConvWeights(const NodeTypes& types, std::size_t weights, std::size_t scale);
  ConvWeights(const ConvWeights&) = delete;
  ConvWeights& operator=(const ConvWeights&) = delete;
  ~ConvWeights() = default;
};

/// The loops of static types.
kernels::ConvShape conv_shape(const Node& node, const NodeTypes& types, std::size_t x_at, std::size_t weights_at);

}  // namespace skerry::ops
