#include "ops/nn/normalised_groups.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/tensor/normalize.hpp"

namespace skerry::ops {
namespace {

// Each run of `size` elements to mean 0 and variance 1.
void normalise(double* x, std::size_t size, double epsilon) {
  base::check_stop();
  double mean = 0.0, variance = 0.0;
  for (std::size_t k = 0; k < size; ++k) mean += x[k] / static_cast<double>(size);
  for (std::size_t k = 0; k < size; ++k) variance += (x[k] - mean) * (x[k] - mean) / static_cast<double>(size);
  for (std::size_t k = 0; k < size; ++k) x[k] = (x[k] - mean) / std::sqrt(variance + epsilon);
}

}  // namespace

void infer_normalised_groups(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_rank(context, 0, 2, Shape::kMaxRank);
  same_as_input(context);
}

void normalise_groups(std::int64_t groups, const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const auto scale = doubles(a.inputs[1]), bias = doubles(a.inputs[2]);
  const Shape shape = a.inputs[0].shape();
  const auto channels = static_cast<std::size_t>(shape[1]);
  const auto number = static_cast<std::size_t>(std::max<std::int64_t>(groups, 1));
  const auto runs = static_cast<std::size_t>(shape[0]) * number;
  if (channels % number != 0 || scale.size() != channels || bias.size() != channels)
    outside("channels do not divide into groups, or scale and bias are not one number per channel");
  const std::size_t size = runs == 0 ? 0 : x.size() / runs, plane = channels == 0 ? 1 : size / (channels / number);
  for (std::size_t r = 0; r < runs; ++r) normalise(x.data() + r * size, size, node.real("epsilon", 1e-5));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] * scale[i / plane % channels] + bias[i / plane % channels];
  store(x, a.outputs[0]);
}

Cost can_normalised_groups(std::int64_t groups, const NodeTypes& types) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (!is_f32(types, i)) return no_kernel(types.inputs[i].dtype);
  }
  const std::int64_t channels = (*types.inputs[0].static_shape())[1];
  if (groups < 1 || channels % groups != 0 || elements(types.inputs[1]) != channels ||
      elements(types.inputs[2]) != channels || elements(types.inputs[0]) == 0)
    return Unexpected{"scale, bias and groups do not fit the channels"};
  constexpr double kOfAnElement = 0.3, kOfAPlane = 30.0;
  return scalar_steps(types, kOfAnElement * static_cast<double>(elements(types.inputs[0])) +
                                 kOfAPlane * static_cast<double>((*types.inputs[0].static_shape())[0] * channels));
}

Prepared prepare_normalised_groups(std::int64_t groups, const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const std::int64_t plane = x.elements() / (x[0] * x[1]), runs = x[1] / groups;
  const kernels::Groups all{x[0] * groups, runs, plane, runs * plane, plane};
  return {[all, channels = x[1], epsilon = node.real("epsilon", 1e-5)](const KernelArguments& a) {
    kernels::group_normalization_f32(all, a.inputs[0].as<float>().data(), channels, a.inputs[1].as<float>().data(),
                                     a.inputs[2].as<float>().data(), epsilon, 0.0, a.outputs[0].as<float>().data());
  }};
}

}  // namespace skerry::ops
