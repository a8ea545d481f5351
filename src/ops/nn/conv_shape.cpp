#include "ops/nn/conv_shape.hpp"

#include <algorithm>

#include "base/weighing.hpp"
#include "ops/nn/channels_last.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/sliding.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::Window;

// Extents of space in the weights; empty when one of them is unknown.
std::vector<std::int64_t> kernel_of(const Dims& weights) {
  std::vector<std::int64_t> out;
  for (std::size_t axis = 2; axis < weights.size(); ++axis) {
    if (!weights[axis].is_known()) return {};
    out.push_back(weights[axis].value);
  }
  return out;
}

void check_channels(const TypeContext& context, const ConvInputs& at, std::int64_t groups) {
  const Node& node = context.node;
  const Dim &channels = (*input(context, at.x).shape)[1], &outputs = (*input(context, at.weights).shape)[0],
            &seen = (*input(context, at.weights).shape)[1];
  if (groups < 1) refuse(node, "group is " + std::to_string(groups), "it must be at least 1");
  if (outputs.is_known() && outputs.value % groups != 0)
    refuse(node, std::to_string(outputs.value) + " outputs cannot be cut into " + std::to_string(groups) + " groups");
  if (!channels.is_known() || !seen.is_known()) return;
  if (seen.value * groups == channels.value) return;
  refuse(node, "the input has " + std::to_string(channels.value) + " channels but the weights see " +
                   std::to_string(seen.value) + " in each of " + std::to_string(groups) + " groups");
}

// A window of one element that visits all of them in order: space is one axis then, whatever its shape.
void flatten_space(Window& window) {
  const bool pointwise = window.taps() == 1 && window.stride == Window::kOnes && window.output == window.input;
  if (!pointwise) return;
  const std::int64_t size = window.inputs();
  window = Window();
  window.input[2] = window.output[2] = size;
}

}  // namespace

void infer_conv(TypeContext& context, const ConvInputs& at, DType result) {
  const Node& node = context.node;
  const TensorType &x = input(context, at.x), &w = input(context, at.weights);
  const bool known = require_rank(context, at.x, 3, 2 + Sliding::kMostAxes);
  if (!known || !require_rank(context, at.weights, x.shape->size(), x.shape->size()))
    return set_output(context, 0, result, std::nullopt);
  check_channels(context, at, node.integer("group", 1));
  Dims out{(*x.shape)[0], (*w.shape)[0]};
  const std::size_t axes = x.shape->size() - 2;
  const auto kernel = kernel_of(*w.shape);
  if (std::ranges::find(kernel, 0) != kernel.end()) refuse(node, "the weights " + w.text() + " have no elements");
  if (kernel.empty() && node.find("kernel_shape") == nullptr) {
    out.resize(axes + 2);
  } else {
    const Sliding sliding(node, axes, kernel);
    for (std::size_t axis = 0; axis < axes; ++axis) out.push_back(sliding.output(axis, (*x.shape)[axis + 2]));
  }
  const TensorType* bias = optional_input(context, at.bias);
  if (bias != nullptr && bias->shape) {
    const bool fits = bias->shape->size() == 1 && (!bias->shape->at(0).is_known() || !out[1].is_known() ||
                                                   bias->shape->at(0).value == out[1].value);
    if (!fits) refuse(node, "the bias " + bias->text() + " is not one number per output");
  }
  set_output(context, 0, result, std::move(out));
}

ConvWeights::ConvWeights(const NodeTypes& types, std::size_t weights, std::size_t scale) {
  values = constant_floats(types, weights);
  const auto factors = constant_floats(types, scale);
  if (factors.empty() || values.empty()) return;
  scaled = Tensor(DType::f32, Shape{static_cast<std::int64_t>(values.size())});
  const auto out = scaled.mutable_view().as<float>();
  const std::size_t each = out.size() / factors.size();
  for (std::size_t i = 0; i < out.size() && !base::is_weighing; ++i) out[i] = values[i] * factors[i / each];
  values = out;
}

kernels::ConvShape conv_shape(const Node& node, const NodeTypes& types, std::size_t x_at, std::size_t weights_at) {
  const Shape x = planes_first(node, *types.inputs[x_at].static_shape()), w = *types.inputs[weights_at].static_shape();
  kernels::ConvShape shape;
  shape.batch = x[0];
  shape.channels = x[1];
  shape.outputs = w[0];
  shape.groups = node.integer("group", 1);
  const std::vector<std::int64_t> kernel(w.dims().begin() + 2, w.dims().end());
  shape.window = Sliding(node, kernel.size(), kernel).window(x);
  flatten_space(shape.window);
  return shape;
}

}  // namespace skerry::ops
