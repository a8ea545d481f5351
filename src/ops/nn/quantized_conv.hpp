/// \file
/// Kernels of the convolutions of 8-bit elements: QLinearConv and ConvInteger differ in where their inputs stand.
#pragma once

#include "ops/nn/conv_shape.hpp"
#include "ops/nn/quantized.hpp"

namespace skerry::ops {

inline constexpr std::size_t kNoInput = 99;

/// Positions of the inputs; a scale is followed by nothing of its own, zero points stand where they say.
struct QuantizedConv {
  std::size_t x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias;
  /// Added once the result is rounded; then come its scale and zero point, and those of the sum.
  std::size_t residual = kNoInput;
};

/// Throws unless each scale and zero point is one number, or, of the weights, one for each output. After the type rule
/// of outputs [batch, outputs, space]. Errors: type_mismatch.
void require_quant_sizes(const QuantizedConv& at, const TypeContext& context);

Cost can_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Prepared prepare_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Cost can_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Prepared prepare_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types);
/// With channels last, every scale, zero point and bias being constant and weights without zero points.
Cost can_pixel_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Prepared prepare_pixel_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Cost can_pixel_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Prepared prepare_pixel_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Cost can_quantized_conv_ref(const QuantizedConv& at, const Node& node, const NodeTypes& types);
Prepared prepare_quantized_conv_ref(const QuantizedConv& at, const Node& node, const NodeTypes& types);

/// The kernels of an operator whose inputs stand at At.
template <const QuantizedConv& At>
inline constexpr KernelRow kQuantizedConvKernels[] = {
    {"conv_i8_pixels",
     [](const Node& node, const NodeTypes& types) { return can_pixel_quantized_conv(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_pixel_quantized_conv(At, node, types); }},
    {"conv_i8_pixels_depthwise",
     [](const Node& node, const NodeTypes& types) { return can_pixel_quantized_depthwise(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_pixel_quantized_depthwise(At, node, types); }},
    {"conv_i8_depthwise",
     [](const Node& node, const NodeTypes& types) { return can_quantized_depthwise(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_quantized_depthwise(At, node, types); }},
    {"conv_i8_packed", [](const Node& node, const NodeTypes& types) { return can_quantized_conv(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_quantized_conv(At, node, types); }},
    {"conv_i8_ref", [](const Node& node, const NodeTypes& types) { return can_quantized_conv_ref(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_quantized_conv_ref(At, node, types); }},
};

}  // namespace skerry::ops
