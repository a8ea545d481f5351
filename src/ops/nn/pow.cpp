#include "ops/nn/binary.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require(context, 1, kernels::Numbers{});
  const TensorType& base = input(context, 0);
  set_output(context, 0, base.dtype,
             broadcast(context.node, base.shape, aligned(context.node, base, input(context, 1))));
}

// A constant exponent of 2 or 3 is a product.
bool is_power(const NodeTypes& types, float wanted) {
  const Tensor* exponent = types.constants[1];
  return is_f32(types) && exponent != nullptr && exponent->dtype() == DType::f32 && exponent->shape().elements() == 1 &&
         exponent->as<float>()[0] == wanted;
}
Cost can(const Node&, const NodeTypes& types) {
  for (const TensorType& type : types.inputs) {
    if (!kernels::Numbers::contains(type.dtype)) return no_kernel(type.dtype);
  }
  if (is_power(types, 2.0F)) return stream_all(types);
  if (is_power(types, 3.0F)) return element_steps(types, 0.5);
  const DType dtype = types.inputs[0].dtype;
  if (!kernels::Reals::contains(dtype)) return element_steps(types, 3.0);
  return element_steps(types, dtype == DType::f32 ? 7.5 : 20.0 + 1.5 * half_steps(dtype));
}

Prepared prepare(const Node& node, const NodeTypes&) {
  return {[node](const KernelArguments& a) {
    kernels::power(a.inputs[0], aligned(node, a.inputs[0], a.inputs[1]), a.outputs[0]);
  }};
}

constexpr KernelRow kKernels[] = {{"power", can, prepare}};

}  // namespace

extern const OpRecord pow_record;
const OpRecord pow_record = {
    .name = "Pow",
    .since_opset = 15,
    .help =
        "c = a^b under NumPy broadcasting, in a's dtype; b may be of another. Numbers; integers wrap, and a "
        "negative power of an integer is 0 (1 and -1 excepted).",
    .infer = infer,
    .upgrade = upgrade_binary,
    .kernels = kKernels,
    .in_place_input = 0};

}  // namespace skerry::ops
