#include <cmath>

#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

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
  for (std::size_t row = 0; row + length <= x.size() && length > 0; row += length) {
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
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
