#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  std::optional<Dims> shape = input(context, 0).shape;
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    require_same(context, 0, i);
    shape = broadcast(context.node, shape, input(context, i).shape);
  }
  set_output(context, 0, input(context, 0).dtype, std::move(shape));
}

void run(const Node&, const KernelArguments& a) {
  Doubles sum(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  for (const TensorView& x : a.inputs) {
    const auto values = doubles(x);
    kernels::BroadcastLoops<1> loops(a.outputs[0].shape(), {x.shape()});
    loops.for_each_run(0, a.outputs[0].elements(), [&](std::int64_t at, const auto& from, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        sum[static_cast<std::size_t>(at + i)] += values[static_cast<std::size_t>(from[0] + i * loops.inner_stride(0))];
    });
  }
  for (double& v : sum) v /= static_cast<double>(a.inputs.size());
  store(sum, a.outputs[0]);
}

}  // namespace

extern const OpRecord mean_record;
const OpRecord mean_record = {
    .name = "Mean",
    .since_opset = 13,
    .help = "The mean of one or more inputs under broadcasting. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
