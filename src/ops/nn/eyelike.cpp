#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require_rank(context, 0, 2, 2);
  set_output(context, 0, dtype_attribute(context.node, "dtype", input(context, 0).dtype), input(context, 0).shape);
}

void run(const Node& node, const KernelArguments& a) {
  const Shape shape = a.outputs[0].shape();
  const std::int64_t k = node.integer("k", 0);
  Doubles y(static_cast<std::size_t>(shape.elements()), 0.0);
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    if (i + k >= 0 && i + k < shape[1]) y[static_cast<std::size_t>(i * shape[1] + i + k)] = 1.0;
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord eyelike_record;
const OpRecord eyelike_record = {
    .name = "EyeLike",
    .since_opset = 22,
    .help = "A matrix of x's shape with ones on the diagonal k (default 0); dtype as x or as attribute dtype says.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can_reference<1>>,
};

}  // namespace skerry::ops
