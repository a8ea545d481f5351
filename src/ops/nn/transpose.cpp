#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

std::vector<std::int64_t> permutation(const Node& node, std::size_t rank) {
  std::vector<std::int64_t> perm = node.integers("perm");
  if (node.find("perm") == nullptr) {
    for (std::size_t axis = rank; axis-- > 0;) perm.push_back(static_cast<std::int64_t>(axis));
  }
  if (perm.size() != rank)
    refuse(node, "perm names " + std::to_string(perm.size()) + " axes of " + std::to_string(rank));
  for (std::int64_t& axis : perm) axis = static_cast<std::int64_t>(normal_axis(node, axis, rank));
  normal_axes(node, perm, rank);
  return perm;
}

void infer(TypeContext& context) {
  const TensorType& type = input(context, 0);
  if (!type.shape) return set_output(context, 0, type.dtype, std::nullopt);
  Dims out;
  for (const std::int64_t axis : permutation(context.node, type.shape->size()))
    out.push_back((*type.shape)[static_cast<std::size_t>(axis)]);
  set_output(context, 0, type.dtype, out);
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  return {[perm = permutation(node, types.inputs[0].shape->size())](const KernelArguments& a) {
    kernels::transpose(a.inputs[0], perm, a.outputs[0]);
  }};
}

// Where the last axis stays the last, rows are copied; else element by element in squares.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  const Dims& shape = *types.outputs[0].shape;
  const auto perm = permutation(node, shape.size());
  if (shape.empty() || static_cast<std::size_t>(perm.back()) + 1 != shape.size()) return element_steps(types, 0.6);
  return row_copies(types, static_cast<double>(product(shape, 0, shape.size() - 1).value));
}

constexpr KernelRow kKernels[] = {{"transpose", can, prepare}};

}  // namespace

extern const OpRecord transpose_record;
const OpRecord transpose_record = {
    .name = "Transpose",
    .since_opset = 25,
    .help =
        "Axis k of y is axis perm[k] of x; perm is a permutation of the axes, by default their reverse. Any dtype "
        "of whole bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
