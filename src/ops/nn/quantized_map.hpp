/// \file
/// Functions of one 8-bit element: 256 answers, made when the plan is.
#pragma once

#include "ops/nn/quantized.hpp"

namespace skerry::ops {

/// Inputs x, x_scale, x_zero, y_scale, y_zero; y has x's dtype and shape.
void infer_quantized_map(TypeContext& context);
Cost can_quantized_map(const Node& node, const NodeTypes& types);
using RealFunction = float (*)(float x, float parameter);
Prepared prepare_quantized_map(RealFunction f, float parameter);

}  // namespace skerry::ops
