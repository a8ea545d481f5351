#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Opset 1 left the axis out for 1.
std::size_t axis_of(const Node& node, std::size_t rank) {
  return normal_axis(node, node.integer("axis", 1), rank);
}

Dim sum_of(const Dim& a, const Dim& b) {
  if (a.is_known() && a.value == 0) return b;
  if (b.is_known() && b.value == 0) return a;
  std::int64_t sum = 0;
  const bool known = a.is_known() && b.is_known() && !__builtin_add_overflow(a.value, b.value, &sum);
  return known ? Dim(sum) : Dim();
}

// Extents that must agree: the better known of the two.
Dim agreed(const Node& node, const Dim& a, const Dim& b, std::size_t axis) {
  if (a.is_known() && b.is_known() && a.value != b.value) {
    refuse(node, "inputs with " + std::to_string(a.value) + " and " + std::to_string(b.value) +
                     " elements along axis " + std::to_string(axis) + " do not go together");
  }
  return a.is_known() || (!a.symbol.empty() && !b.is_known()) ? a : b;
}

std::optional<Dims> joined(const TypeContext& context) {
  std::optional<Dims> out;
  bool complete = true;
  std::size_t axis = 0;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    const TensorType& type = input(context, i);
    require_same(context, 0, i);
    if (!type.shape) {
      complete = false;
      continue;
    }
    if (!out) {
      out = type.shape;
      axis = axis_of(context.node, out->size());
      continue;
    }
    require_rank(context, i, out->size(), out->size());
    for (std::size_t k = 0; k < out->size(); ++k) {
      const Dim& dim = (*type.shape)[k];
      (*out)[k] = k == axis ? sum_of((*out)[k], dim) : agreed(context.node, (*out)[k], dim, k);
    }
  }
  if (out && !complete) (*out)[axis] = Dim();
  return out;
}

void infer(TypeContext& context) {
  const DType dtype = input(context, 0).dtype;
  const auto shape = joined(context);
  set_output(context, 0, dtype, shape);
  if (!shape || shape->size() != 1) return;
  Dims data;
  for (const Dims* dims : context.dims) {
    if (dims == nullptr) return;
    data.insert(data.end(), dims->begin(), dims->end());
  }
  context.output_dims[0] = std::move(data);
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const auto axis = static_cast<int>(axis_of(node, types.outputs[0].shape->size()));
  return {[axis](const KernelArguments& a) {
    std::int64_t at = 0;
    for (const TensorView& x : a.inputs) {
      kernels::place(x, axis, at, a.outputs[0]);
      at += x.shape()[axis];
    }
  }};
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  const Dims& shape = *types.outputs[0].shape;
  const Dim rows = product(shape, 0, axis_of(node, shape.size()));
  return row_copies(types, static_cast<double>(rows.value) * static_cast<double>(types.inputs.size()));
}

constexpr KernelRow kKernels[] = {{"concat", can, prepare}};

}  // namespace

extern const OpRecord concat_record;
const OpRecord concat_record = {
    .name = "Concat",
    .since_opset = 13,
    .help = "The inputs one after the other along `axis`; all other extents agree. One dtype of whole bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
