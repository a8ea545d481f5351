#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Each run of `size` elements to mean 0 and variance 1.
void normalise(double* x, std::size_t size, double epsilon) {
  double mean = 0.0, variance = 0.0;
  for (std::size_t k = 0; k < size; ++k) mean += x[k] / static_cast<double>(size);
  for (std::size_t k = 0; k < size; ++k) variance += (x[k] - mean) * (x[k] - mean) / static_cast<double>(size);
  for (std::size_t k = 0; k < size; ++k) x[k] = (x[k] - mean) / std::sqrt(variance + epsilon);
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_rank(context, 0, 2, Shape::kMaxRank);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const auto scale = doubles(a.inputs[1]), bias = doubles(a.inputs[2]);
  const auto channels = static_cast<std::size_t>(a.inputs[0].shape()[1]);
  if (scale.size() != channels || bias.size() != channels) outside("scale and bias need one number per channel");
  const std::size_t planes = channels * static_cast<std::size_t>(a.inputs[0].shape()[0]);
  const std::size_t size = planes == 0 ? 0 : x.size() / planes;
  for (std::size_t p = 0; p < planes; ++p) {
    normalise(x.data() + p * size, size, node.real("epsilon", 1e-5));
    for (std::size_t k = 0; k < size; ++k) x[p * size + k] = x[p * size + k] * scale[p % channels] + bias[p % channels];
  }
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord instancenormalization_record;
const OpRecord instancenormalization_record = {
    .name = "InstanceNormalization",
    .since_opset = 22,
    .help = "(x - mean) / sqrt(variance + epsilon) * scale + B for each plane of [N, C, space]. Reals.",
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
