#include "kernels/tensor/convert.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  for (std::size_t i = 1; i <= 2; ++i) {
    const TensorType* bound = optional_input(context, i);
    if (bound == nullptr) continue;
    if (bound->dtype != DType::f32) require_same(context, 0, i);  // f32: an attribute of an older form
    if (!bound->shape) continue;
    const Dim count = product(*bound->shape, 0, bound->shape->size());
    if (count.is_known() && count.value != 1)
      refuse(context.node, "a bound is " + bound->text() + " and not one number");
  }
  same_as_input(context);
}

void upgrade(UpgradeContext& context) {
  real_to_input(context, "min", 1);
  real_to_input(context, "max", 2);
  context.node.erase("consumed_inputs");
}

Cost can(const Node&, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!kernels::Numbers::contains(dtype)) return no_kernel(dtype);
  if (dtype == DType::f32) return stream_all(types);
  const bool real = kernels::Reals::contains(dtype);
  const double integer_steps = dtype_bits(dtype) == 64 ? 0.8 : 1.7;
  return element_steps(types, (real ? 0.1 * width_factor(dtype) : integer_steps) + half_steps(dtype));
}

Prepared prepare(const Node&, const NodeTypes&) {
  return {[](const KernelArguments& a) {
    const auto bound = [&a](std::size_t i) { return i < a.inputs.size() ? a.inputs[i] : TensorView(); };
    kernels::clip(a.inputs[0], bound(1), bound(2), a.outputs[0]);
  }};
}

constexpr KernelRow kKernels[] = {{"clip", can, prepare}};

}  // namespace

extern const OpRecord clip_record;
const OpRecord clip_record = {
    .name = "Clip",
    .since_opset = 13,
    .help =
        "y = min(max(x, low), high), element by element. low and high are scalars of x's dtype, each of which may "
        "be left out; where low > high all is high. Numbers.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0};

}  // namespace skerry::ops
