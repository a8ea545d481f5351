#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const double threshold = node.real("lambd", 0.5), bias = node.real("bias", 0.0);
  auto x = doubles(a.inputs[0]);
  for (double& v : x) v = v > threshold ? v - bias : v < -threshold ? v + bias : 0.0;
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord shrink_record;
const OpRecord shrink_record = {
    .name = "Shrink",
    .since_opset = 9,
    .help = "x - bias where x > lambd, x + bias where x < -lambd, else 0. Numbers.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
