#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &x = input(context, 0), &indices = input(context, 1);
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  if (x.shape && indices.shape && x.shape->size() != indices.shape->size())
    refuse(context.node, "x and indices differ in rank");
  set_output(context, 0, x.dtype, indices.shape);
}

Cost can(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), indices = *types.inputs[1].static_shape();
  const auto axis = static_cast<int>(normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(x.rank())));
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis && indices[i] > x[i] && indices.elements() > 0)
      refuse(node, "indices " + indices.text() + " reach past x " + x.text() + " along axis " + std::to_string(i));
  }
  if (auto movable = can_move(node, types); !movable) return movable;
  return element_steps(types, 4.0);
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const auto axis = static_cast<int>(normal_axis(node, node.integer("axis", 0), types.inputs[0].shape->size()));
  return {[axis](const KernelArguments& a) { kernels::gather_elements(a.inputs[0], axis, a.inputs[1], a.outputs[0]); }};
}

constexpr KernelRow kKernels[] = {{"gather_elements", can, prepare}};

}  // namespace

extern const OpRecord gatherelements_record;
const OpRecord gatherelements_record = {
    .name = "GatherElements",
    .since_opset = 13,
    .help = "y[i] = x[i with its place along `axis` (default 0) replaced by indices[i]]. Any dtype of whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
