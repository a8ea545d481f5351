#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Integers{});
  same_as_input(context);
}

void run(const Node&, const KernelArguments& a) {
  auto x = longs(a.inputs[0]);
  for (std::int64_t& v : x) v = ~v;
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord bitwisenot_record;
const OpRecord bitwisenot_record = {
    .name = "BitwiseNot",
    .since_opset = 18,
    .help = "Every bit of each integer turned over.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
