#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"

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
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
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

}  // namespace

extern const OpRecord lrn_record;
const OpRecord lrn_record = {
    .name = "LRN",
    .since_opset = 13,
    .help = "x / (bias + alpha / size * sum of squares of the `size` neighbouring channels)^beta. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
