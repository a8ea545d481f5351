#include "ops/nn/arg_extreme.hpp"

#include "kernels/tensor/reduce.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

std::size_t axis_of(const Node& node, std::size_t rank) {
  return normal_axis(node, node.integer("axis", 0), rank);
}

}  // namespace

void infer_arg_extreme(TypeContext& context) {
  const Node& node = context.node;
  require(context, 0, kernels::Numbers{});
  const auto& shape = input(context, 0).shape;
  if (!shape) return set_output(context, 0, DType::i64, std::nullopt);
  Dims out = *shape;
  const std::size_t axis = axis_of(node, out.size());
  if (out[axis] == Dim(0)) refuse(node, "an axis without elements has no largest or smallest one");
  if (node.integer("keepdims", 1) != 0) {
    out[axis] = 1;
  } else {
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  set_output(context, 0, DType::i64, std::move(out));
}

Cost can_arg_extreme_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const Shape x = *types.inputs[0].static_shape();
  const std::int64_t length = x[static_cast<int>(axis_of(node, static_cast<std::size_t>(x.rank())))];
  if (x.elements() == 0 || length >= (std::int64_t{1} << 31)) return Unexpected{"an axis that is empty or very long"};
  constexpr double kOfAnElement = 0.3, kOfAResult = 30.0;
  return scalar_steps(types, kOfAnElement * static_cast<double>(x.elements()) +
                                 kOfAResult * static_cast<double>(elements(types.outputs[0])));
}

Cost can_arg_extreme_ref(const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!kernels::Numbers::contains(dtype)) return no_kernel(dtype);
  const std::size_t rank = types.inputs[0].shape->size();
  const bool by_columns = axis_of(node, rank) + 1 != rank && bytes(types.inputs[0]) > (std::uint64_t{4} << 20);
  const double compared = kernels::Reals::contains(dtype) ? 5.5 + half_steps(dtype) : 1.5;
  const double per_element = compared * (by_columns ? 3.0 : 1.0);
  return scalar_steps(types, per_element * static_cast<double>(elements(types.inputs[0])));
}

Prepared prepare_arg_extreme_f32(bool largest, const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const auto axis = static_cast<int>(axis_of(node, static_cast<std::size_t>(x.rank())));
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < x.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : x[i];
  const bool last = node.integer("select_last_index", 0) != 0;
  return {[=, length = x[axis]](const KernelArguments& a) {
    kernels::arg_extreme_f32(a.inputs[0].as<float>().data(), outer, length, inner, largest, last,
                             a.outputs[0].as<std::int64_t>().data());
  }};
}

Prepared prepare_arg_extreme_ref(bool largest, const Node& node, const NodeTypes& types) {
  const auto axis = static_cast<int>(axis_of(node, types.inputs[0].shape->size()));
  const bool last = node.integer("select_last_index", 0) != 0;
  return {[=](const KernelArguments& a) { kernels::arg_extreme(a.inputs[0], axis, largest, last, a.outputs[0]); }};
}

}  // namespace skerry::ops
