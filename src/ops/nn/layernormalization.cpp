#include <algorithm>

#include "kernels/tensor/normalize.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

std::size_t first_axis(const Node& node, std::size_t rank) {
  return normal_axis(node, node.integer("axis", -1), rank);
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  require(context, 0, kernels::Reals{});
  require_same(context, 0, 1);
  require_same(context, 0, 2);
  const TensorType& x = input(context, 0);
  input(context, 1);
  std::optional<Dims> statistics;
  if (x.shape) {
    if (x.shape->empty()) refuse(node, "a scalar has no axis to normalise");
    const std::size_t axis = first_axis(node, x.shape->size());
    statistics = x.shape;
    for (std::size_t i = axis; i < statistics->size(); ++i) (*statistics)[i] = Dim(1);
    const Dim length = product(*x.shape, axis, x.shape->size());
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      const TensorType* vector = optional_input(context, i);
      if (vector == nullptr || !vector->shape) continue;
      const Dim found = product(*vector->shape, 0, vector->shape->size());
      if (found.is_known() && length.is_known() && found.value != length.value) {
        refuse(node, "input " + std::to_string(i) + " is " + vector->text() + " but " + std::to_string(length.value) +
                         " elements are normalised together");
      }
    }
  }
  // The type that statistics are kept in; ONNX's default is float, whatever x is.
  const DType kept = node.integer("stash_type", 1) == 11 ? DType::f64 : x.dtype == DType::f64 ? DType::f64 : DType::f32;
  same_as_input(context);
  set_output(context, 1, kept, statistics);
  set_output(context, 2, kept, statistics);
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const Shape shape = *types.inputs[0].static_shape();
  std::int64_t length = 1, rows = 1;
  const auto axis = static_cast<int>(first_axis(node, static_cast<std::size_t>(shape.rank())));
  for (int i = 0; i < shape.rank(); ++i) (i < axis ? rows : length) *= shape[i];
  const double epsilon = node.real("epsilon", 1e-5);
  const bool narrow = std::ranges::all_of(types.outputs, [](const TensorType& y) { return y.dtype != DType::f64; });
  if (is_f32(types) && is_f32(types, 1) && narrow) {
    return {[=](const KernelArguments& a) {
      const bool has_bias = a.inputs.size() > 2 && !a.inputs[2].empty();
      const auto statistic = [&a](std::size_t i) {
        return i < a.outputs.size() && !a.outputs[i].empty() ? a.outputs[i].as<float>().data() : nullptr;
      };
      kernels::layer_normalization_f32(a.inputs[0].as<float>().data(), rows, length, a.inputs[1].as<float>().data(),
                                       has_bias ? a.inputs[2].as<float>().data() : nullptr, static_cast<float>(epsilon),
                                       a.outputs[0].as<float>().data(), statistic(1), statistic(2));
    }};
  }
  return {[=](const KernelArguments& a) {
    const auto output = [&a](std::size_t i) { return i < a.outputs.size() ? a.outputs[i] : MutableTensorView(); };
    kernels::layer_normalization(a.inputs[0], length, a.inputs[1], a.inputs.size() > 2 ? a.inputs[2] : TensorView(),
                                 epsilon, a.outputs[0], output(1), output(2));
  }};
}

// Scalar steps' worth of a row's two sums and of its square root, and of an element.
constexpr double kStepsOfARow = 100.0, kStepsOfAnElement = 0.25;

Cost can(const Node& node, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const Shape shape = *types.inputs[0].static_shape();
  const auto axis = static_cast<int>(first_axis(node, static_cast<std::size_t>(shape.rank())));
  double rows = 1.0;
  for (int i = 0; i < axis; ++i) rows *= static_cast<double>(shape[i]);
  constexpr double kOfAnOther = 25.0;  // element by element
  const double each = is_f32(types) ? kStepsOfAnElement : kOfAnOther;
  return scalar_steps(types, kStepsOfARow * rows + each * static_cast<double>(elements(types.inputs[0])));
}

constexpr KernelRow kKernels[] = {kThroughF32, {"layer_normalization", can, prepare}};

}  // namespace

extern const OpRecord layernormalization_record;
const OpRecord layernormalization_record = {
    .name = "LayerNormalization",
    .since_opset = 17,
    .help =
        "(x - mean) / sqrt(variance + epsilon) * scale + bias, with mean and variance over the axes from `axis` "
        "(default "
        "the last) on. x: reals; scale and optional bias of x's dtype, as many elements as are normalised together. "
        "Outputs 1 and 2: the mean and the inverse standard deviation.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
