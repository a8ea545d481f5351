#include <algorithm>
#include <cmath>

#include "kernels/tensor/normalize.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_rank(context, 0, 2, Shape::kMaxRank);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Shape shape = a.inputs[0].shape();
  const AxisLoops l(shape, 1);
  const std::int64_t size = node.integer("size", 1);
  const double alpha = node.real("alpha", 1e-4) / static_cast<double>(size), beta = node.real("beta", 0.75);
  Doubles y(x.size());
  Pace pace;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    pace(std::clamp<std::int64_t>(size, 1, l.length));
    const std::int64_t c = i / l.inner % l.length, first = std::max<std::int64_t>(0, c - (size - 1) / 2);
    const std::int64_t last = std::min(l.length - 1, c + size / 2);
    double sum = 0.0;
    for (std::int64_t k = first; k <= last; ++k) {
      const double v = x[static_cast<std::size_t>(i + (k - c) * l.inner)];
      sum += v * v;
    }
    y[static_cast<std::size_t>(i)] =
        x[static_cast<std::size_t>(i)] / std::pow(node.real("bias", 1.0) + alpha * sum, beta);
  }
  store(y, a.outputs[0]);
}

constexpr double kCommonBeta = 0.75;  // two square roots

kernels::NeighbourNorm norm_of(const Node& node, const Shape& shape) {
  const AxisLoops l(shape, 1);
  const std::int64_t size = node.integer("size", 1);
  return {l.outer,
          l.length,
          l.inner,
          (size - 1) / 2,
          size / 2,
          static_cast<float>(node.real("alpha", 1e-4) / static_cast<double>(size)),
          static_cast<float>(node.real("beta", kCommonBeta)),
          static_cast<float>(node.real("bias", 1.0))};
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const std::int64_t size = node.integer("size", 1), channels = (*types.inputs[0].static_shape())[1];
  if (size < 1 || elements(types.inputs[0]) == 0) return Unexpected{"no neighbours"};
  const double of_power = node.real("beta", kCommonBeta) == kCommonBeta ? 1.0 : 12.0;
  return element_steps(types, of_power + 0.1 * static_cast<double>(std::min(size, channels)));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  return {[norm = norm_of(node, *types.inputs[0].static_shape())](const KernelArguments& a) {
    kernels::neighbour_normalization_f32(norm, a.inputs[0].as<float>().data(), a.outputs[0].as<float>().data());
  }};
}

// A power, and a step for each neighbour.
Cost can_ref(const Node& node, const NodeTypes& types) {
  const std::int64_t channels = (*types.inputs[0].static_shape())[1];
  const std::int64_t neighbours =
      std::clamp<std::int64_t>(node.integer("size", 1), 1, std::max<std::int64_t>(channels, 1));
  return can_reference_at(types, node, 20.0 + 1.5 * static_cast<double>(neighbours));
}

constexpr KernelRow kKernels[] = {
    {"neighbour_normalization_f32", can_f32, prepare_f32}, kThroughF32, kReference<run, can_ref>[0]};

}  // namespace

extern const OpRecord lrn_record;
const OpRecord lrn_record = {
    .name = "LRN",
    .since_opset = 13,
    .help = "x / (bias + alpha / size * sum of squares of the `size` neighbouring channels)^beta. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
