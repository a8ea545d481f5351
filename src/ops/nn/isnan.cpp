#include "kernels/tensor/unary.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  set_output(context, 0, DType::boolean, input(context, 0).shape);
}

void run(const Node&, const KernelArguments& a) {
  kernels::is_nan(a.inputs[0], a.outputs[0]);
}

Cost can(const Node&, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return element_steps(types, (is_f32(types) ? 0.2 : 0.7) + half_steps(types.inputs[0].dtype));
}
std::uint64_t bytes_of_none(const NodeTypes&) {
  return 0;
}

}  // namespace

extern const OpRecord isnan_record;
const OpRecord isnan_record = {
    .name = "IsNaN",
    .since_opset = 20,
    .help = "Whether each element is not a number. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_none>,
};

}  // namespace skerry::ops
