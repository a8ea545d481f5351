#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_same(context, 0, 1);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const auto b = doubles(a.inputs[1]);
  if (b.size() != x.size()) outside("the two inputs differ in shape");
  const double alpha = node.real("alpha", 1.0);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] / (1.0 + std::exp(-alpha * x[i])) * b[i];
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord swiglu_record;
const OpRecord swiglu_record = {
    .name = "SwiGLU",
    .since_opset = 28,
    .help = "a / (1 + e^(-alpha a)) * b, alpha 1 by default; a and b of one shape. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
