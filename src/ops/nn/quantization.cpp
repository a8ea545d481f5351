#include "ops/nn/quantization.hpp"

#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// The axis only counts where the scale is no scalar.
std::size_t scale_axis(const Node& node, std::size_t rank) {
  return normal_axis(node, node.integer("axis", 1), rank);
}

void check_extent(const TypeContext& context, const Dim& found, const Dim& wanted, const char* what) {
  if (!found.is_known() || !wanted.is_known() || found.value == wanted.value) return;
  refuse(context.node, std::string("the scale is ") + input(context, 1).text() + " for an input " +
                           input(context, 0).text() + ", " + std::to_string(wanted.value) + " " + what + " are needed");
}

// One zero point for each scale: whoever takes the first one relies on it.
void check_zeros(const TypeContext& context) {
  const TensorType* zero = optional_input(context, 2);
  if (zero == nullptr) return;
  const auto scales = input(context, 1).static_shape(), zeros = zero->static_shape();
  if (!scales || !zeros || scales->elements() == zeros->elements()) return;
  refuse(context.node, "the zero point is " + zero->text() + " for a scale " + input(context, 1).text());
}

}  // namespace

void check_scales(const TypeContext& context) {
  check_zeros(context);
  const auto &x = input(context, 0).shape, &scale = input(context, 1).shape;
  const std::int64_t block = context.node.integer("block_size", 0);
  if (block < 0) refuse(context.node, "block_size is " + std::to_string(block));
  if (!x || !scale || scale->empty()) return;
  const bool single = scale->size() == 1 && (*scale)[0].is_known() && (*scale)[0].value == 1;
  if (single && block == 0) return;
  const std::size_t axis = scale_axis(context.node, x->size());
  if (block == 0) {
    if (scale->size() != 1)
      refuse(context.node, "the scale is " + input(context, 1).text() + ", neither a number nor a vector");
    check_extent(context, (*scale)[0], (*x)[axis], "scales");
    return;
  }
  if (scale->size() != x->size()) refuse(context.node, "blocked scales need as many axes as the input");
  for (std::size_t i = 0; i < x->size(); ++i) {
    const Dim wanted = i != axis || !(*x)[i].is_known() ? (*x)[i] : Dim(((*x)[i].value + block - 1) / block);
    check_extent(context, (*scale)[i], wanted, "blocks");
  }
}

kernels::ScaleLayout scale_layout(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), scale = *types.inputs[1].static_shape();
  kernels::ScaleLayout layout;
  const std::int64_t block = node.integer("block_size", 0);
  if (scale.elements() == 1 && block == 0) {
    layout.inner = x.elements();
    return layout;
  }
  const std::size_t axis = scale_axis(node, static_cast<std::size_t>(x.rank()));
  for (int i = 0; i < x.rank(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    (at < axis ? layout.outer : at == axis ? layout.length : layout.inner) *= x[i];
  }
  layout.block = block == 0 ? 1 : block;
  layout.scales = scale[block == 0 ? 0 : static_cast<int>(axis)];
  layout.per_inner = block != 0;
  return layout;
}

}  // namespace skerry::ops
