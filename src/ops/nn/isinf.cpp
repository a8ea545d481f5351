#include "kernels/tensor/unary.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  set_output(context, 0, DType::boolean, input(context, 0).shape);
}

void run(const Node& node, const KernelArguments& a) {
  kernels::is_inf(a.inputs[0], a.outputs[0], node.integer("detect_positive", 1) != 0,
                  node.integer("detect_negative", 1) != 0);
}

Cost can(const Node&, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return element_steps(types, 0.8 + half_steps(types.inputs[0].dtype));
}
std::uint64_t bytes_of_none(const NodeTypes&) {
  return 0;
}

}  // namespace

extern const OpRecord isinf_record;
const OpRecord isinf_record = {
    .name = "IsInf",
    .since_opset = 20,
    .help = "Whether each element is infinite; detect_positive and detect_negative (1) choose which. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_none>,
};

}  // namespace skerry::ops
