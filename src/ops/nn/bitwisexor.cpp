#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Integers{});
  require_same(context, 0, 1);
  set_output(context, 0, input(context, 0).dtype,
             broadcast(context.node, input(context, 0).shape, input(context, 1).shape));
}

void run(const Node&, const KernelArguments& a) {
  const auto x = longs(a.inputs[0]), y = longs(a.inputs[1]);
  Longs out;
  kernels::BroadcastLoops<2> loops(a.outputs[0].shape(), {a.inputs[0].shape(), a.inputs[1].shape()});
  loops.for_each_run(0, a.outputs[0].elements(), [&](std::int64_t, const auto& from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t l = x[static_cast<std::size_t>(from[0] + i * loops.inner_stride(0))];
      const std::int64_t r = y[static_cast<std::size_t>(from[1] + i * loops.inner_stride(1))];
      out.push_back(l ^ r);
    }
  });
  store(out, a.outputs[0]);
}

}  // namespace

extern const OpRecord bitwisexor_record;
const OpRecord bitwisexor_record = {
    .name = "BitwiseXor",
    .since_opset = 18,
    .help = "a ^ b, bit by bit, under broadcasting.",
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
