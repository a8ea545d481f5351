#include <cmath>

#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/normalize.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require(context, 1, kernels::Reals{});
  set_output(context, 0, input(context, 1).dtype, input(context, 0).shape);
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]), scale = doubles(a.inputs[1]);
  const Shape shape = a.inputs[0].shape();
  const auto axis = normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank()));
  std::size_t length = 1;
  for (int i = static_cast<int>(axis); i < shape.rank(); ++i) length *= static_cast<std::size_t>(shape[i]);
  const double epsilon = node.real("epsilon", 1e-5);
  Doubles y(x.size());
  Pace pace;
  for (std::size_t row = 0; row + length <= x.size() && length > 0; row += length) {
    pace(static_cast<std::int64_t>(length));
    double squares = 0.0;
    for (std::size_t k = 0; k < length; ++k) squares += x[row + k] * x[row + k];
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(length) + epsilon);
    for (std::size_t k = 0; k < length; ++k) y[row + k] = x[row + k] * factor;
  }
  kernels::BroadcastLoops<1> loops(shape, {a.inputs[1].shape()});
  loops.for_each_run(0, shape.elements(), [&](std::int64_t at, const auto& from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      y[static_cast<std::size_t>(at + i)] *= scale[static_cast<std::size_t>(from[0] + i * loops.inner_stride(0))];
  });
  store(y, a.outputs[0]);
}

// How many elements are normalised together.
std::int64_t length_of(const Node& node, const Shape& shape) {
  const auto axis = normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank()));
  std::int64_t length = 1;
  for (int i = static_cast<int>(axis); i < shape.rank(); ++i) length *= shape[i];
  return length;
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types) || !is_f32(types, 1)) return no_kernel(types.inputs[is_f32(types) ? 1 : 0].dtype);
  const Shape x = *types.inputs[0].static_shape(), scale = *types.inputs[1].static_shape();
  const std::int64_t length = length_of(node, x), rows = length == 0 ? 0 : x.elements() / length;
  if (rows == 0) return Unexpected{"no elements"};
  // The scale stands as the last extents of x do.
  std::int64_t behind = 1;
  for (int i = 1; i <= scale.rank() && behind < length; ++i) {
    if (i > x.rank() || scale[scale.rank() - i] != x[x.rank() - i]) return Unexpected{"the scale is broadcast"};
    behind *= scale[scale.rank() - i];
  }
  if (behind != length || scale.elements() != length) return Unexpected{"the scale is broadcast"};
  constexpr double kOfAnElement = 0.25, kOfARow = 30.0;
  return scalar_steps(types, kOfAnElement * static_cast<double>(x.elements()) + kOfARow * static_cast<double>(rows));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const std::int64_t length = length_of(node, x);
  return {[rows = x.elements() / length, length, epsilon = node.real("epsilon", 1e-5)](const KernelArguments& a) {
    kernels::rms_normalization_f32(a.inputs[0].as<float>().data(), rows, length, a.inputs[1].as<float>().data(),
                                   epsilon, a.outputs[0].as<float>().data());
  }};
}

constexpr KernelRow kKernels[] = {{"rms_normalization_f32", can_f32, prepare_f32}, kThroughF32, kReference<run>[0]};

}  // namespace

extern const OpRecord rmsnormalization_record;
const OpRecord rmsnormalization_record = {
    .name = "RMSNormalization",
    .since_opset = 23,
    .help =
        "x / sqrt(mean of x^2 over the axes from `axis` (default the last) on + epsilon (1e-5)) * scale, which "
        "broadcasts. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
