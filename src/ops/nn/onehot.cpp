#include "kernels/tensor/convert.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &indices = input(context, 0), &values = input(context, 2);
  input(context, 1);
  if (!indices.shape) return set_output(context, 0, values.dtype, std::nullopt);
  Dim depth;
  if (context.constants[1] != nullptr) {
    const auto found = doubles(context.constants[1]->view());
    if (found.size() != 1 || !(found[0] >= 0) || found[0] > 1e15) refuse(context.node, "the depth is no extent");
    depth = Dim(static_cast<std::int64_t>(found[0]));
  }
  Dims out = *indices.shape;
  const auto axis = normal_axis(context.node, context.node.integer("axis", -1), out.size() + 1);
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  set_output(context, 0, values.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto indices = longs(a.inputs[0]);
  const Shape shape = a.outputs[0].shape();
  const AxisLoops l(shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank())));
  if (shape.elements() == 0) return;
  if (a.inputs[2].elements() < 2 || std::ssize(indices) != l.outer * l.inner) outside("the values are not two");
  kernels::fill(a.inputs[2], a.outputs[0]);
  for (std::int64_t i = 0; i < l.outer * l.inner; ++i) {
    std::int64_t index = indices[static_cast<std::size_t>(i)];
    if (index < 0) index += l.length;
    if (index >= 0 && index < l.length)
      copy_element(a.inputs[2], 1, a.outputs[0], (i / l.inner * l.length + index) * l.inner + i % l.inner);
  }
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  constexpr double kOfAnIndex = 12.0;
  return serial_steps(types, kOfAnIndex * static_cast<double>(elements(types.inputs[0])));
}

}  // namespace

extern const OpRecord onehot_record;
const OpRecord onehot_record = {
    .name = "OneHot",
    .since_opset = 28,
    .help =
        "`values[1]` at the index along a new `axis` (default the last) of extent depth, `values[0]` elsewhere. "
        "Indices outside [-depth, depth) give none.",
    .inputs = 3,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_places>,
};

}  // namespace skerry::ops
