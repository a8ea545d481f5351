/// \file
/// What convolutions share, of reals and of quantised elements: their type rule and their loops.
#pragma once

#include "kernels/tensor/conv.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Which inputs are what.
struct ConvInputs {
  std::size_t x, weights, bias;
};

/// Gives output 0 dtype `result` and the shape that attributes, x and weights imply. Errors: type_mismatch.
void infer_conv(TypeContext& context, const ConvInputs& at, DType result);

/// The loops of static types.
kernels::ConvShape conv_shape(const Node& node, const NodeTypes& types, std::size_t x_at, std::size_t weights_at);

}  // namespace skerry::ops
