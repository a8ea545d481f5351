#include "ops/nn/loss.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  const bool none = context.node.text("reduction", "mean") == "none";
  set_output(context, 0, input(context, 0).dtype, none ? input(context, 1).shape : std::optional<Dims>(Dims{}));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  store(likelihood_loss(node, x, a), a.outputs[0]);
}

}  // namespace

extern const OpRecord negativeloglikelihoodloss_record;
const OpRecord negativeloglikelihoodloss_record = {
    .name = "NegativeLogLikelihoodLoss",
    .since_opset = 22,
    .help =
        "-weight[t] x[n, t, ...] at the class t that target names; reduction none, sum or mean (default, over the "
        "weights); ignore_index counts nothing.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can_reference<1>>,
};

}  // namespace skerry::ops
