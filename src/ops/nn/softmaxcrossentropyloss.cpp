#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nn/loss.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  const bool none = context.node.text("reduction", "mean") == "none";
  set_output(context, 0, input(context, 0).dtype, none ? input(context, 1).shape : std::optional<Dims>(Dims{}));
  set_output(context, 1, input(context, 0).dtype, input(context, 0).shape);
}

void run(const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const AxisLoops l(a.inputs[0].shape(), 1);
  for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
    const auto at = [&](std::int64_t k) -> double& {
      return x[static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner)];
    };
    double most = -std::numeric_limits<double>::infinity(), sum = 0.0;
    for (std::int64_t k = 0; k < l.length; ++k) most = std::max(most, at(k));
    for (std::int64_t k = 0; k < l.length; ++k) sum += std::exp(at(k) - most);
    for (std::int64_t k = 0; k < l.length; ++k) at(k) -= most + std::log(sum);
  }
  store(likelihood_loss(node, x, a), a.outputs[0]);
  store(x, out_view(a, 1));
}

}  // namespace

extern const OpRecord softmaxcrossentropyloss_record;
const OpRecord softmaxcrossentropyloss_record = {
    .name = "SoftmaxCrossEntropyLoss",
    .since_opset = 13,
    .help = "NegativeLogLikelihoodLoss of log softmax(scores) along axis 1, which is the optional second output.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
