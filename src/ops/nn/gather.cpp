#include <algorithm>

#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

std::size_t axis_of(const Node& node, std::size_t rank) {
  return normal_axis(node, node.integer("axis", 0), rank);
}

// Picks among shapes that flow as data.
void follow_data(TypeContext& context) {
  const Dims* from = known_dims(context, 0);
  const auto indices = constant_integers(context, 1);
  const auto& shape = context.outputs[0].shape;
  if (from == nullptr || !indices || !shape || shape->size() > 1) return;
  Dims out;
  for (const std::int64_t index : *indices) out.push_back((*from)[normal_axis(context.node, index, from->size())]);
  context.output_dims[0] = std::move(out);
}

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  const TensorType& indices = input(context, 1);
  if (!x.shape || !indices.shape) {
    set_output(context, 0, x.dtype, std::nullopt);
    return;
  }
  const auto axis = static_cast<std::ptrdiff_t>(axis_of(context.node, x.shape->size()));
  Dims out(x.shape->begin(), x.shape->begin() + axis);
  out.insert(out.end(), indices.shape->begin(), indices.shape->end());
  out.insert(out.end(), x.shape->begin() + axis + 1, x.shape->end());
  set_output(context, 0, x.dtype, std::move(out));
  follow_data(context);
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  // Only the rows that are picked are read.
  const double moved = 2.0 * static_cast<double>(bytes(types.outputs[0])) + static_cast<double>(bytes(types.inputs[1]));
  // Each row that is picked costs its index.
  constexpr double kOfARow = 7.0;
  const Shape x = *types.inputs[0].static_shape();
  double row = 1.0;
  for (auto i = static_cast<int>(axis_of(node, static_cast<std::size_t>(x.rank()))) + 1; i < x.rank(); ++i)
    row *= static_cast<double>(x[i]);
  return std::vector<kernels::Work>{
      {kernels::Rate::stream, moved},
      {kernels::Rate::scalar, kOfARow * static_cast<double>(elements(types.outputs[0])) / std::max(row, 1.0)}};
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const auto axis = static_cast<int>(axis_of(node, types.inputs[0].shape->size()));
  return {[axis](const KernelArguments& a) { kernels::gather(a.inputs[0], axis, a.inputs[1], a.outputs[0]); }};
}

constexpr KernelRow kKernels[] = {{"gather", can, prepare}};

}  // namespace

extern const OpRecord gather_record;
const OpRecord gather_record = {
    .name = "Gather",
    .since_opset = 13,
    .help =
        "y[a, i, b] = x[a, indices[i], b] along `axis` (default 0): the slices of x that i32 or i64 indices of any "
        "shape name. Negative indices count from the end; others outside the axis are refused. Any dtype of whole "
        "bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
