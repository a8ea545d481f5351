#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  const auto wanted = wanted_dims(context, 1);
  if (const auto values = constant_integers(context, 1)) {
    for (const std::int64_t extent : *values) {
      if (extent < 0) refuse(context.node, "an extent of " + std::to_string(extent));
    }
  }
  set_output(context, 0, x.dtype, broadcast(context.node, x.shape, wanted));
}

constexpr KernelRow kKernels[] = {
    {"expand", can_move,
     [](const Node&, const NodeTypes&) {
       return Prepared{[](const KernelArguments& a) { kernels::expand(a.inputs[0], a.outputs[0]); }};
     }},
};

}  // namespace

extern const OpRecord expand_record;
const OpRecord expand_record = {
    .name = "Expand",
    .since_opset = 13,
    .help =
        "x, stretched to the NumPy broadcast of its shape and the one in the i64 vector `shape`. Any dtype of whole "
        "bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
