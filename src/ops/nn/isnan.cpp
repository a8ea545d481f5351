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

}  // namespace

extern const OpRecord isnan_record;
const OpRecord isnan_record = {
    .name = "IsNaN",
    .since_opset = 20,
    .help = "Whether each element is not a number. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
