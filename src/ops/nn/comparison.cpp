#include "ops/nn/comparison.hpp"

#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

bool takes(kernels::Comparison f, DType dtype) {
  return kernels::Numbers::contains(dtype) || (f == kernels::Comparison::equal && dtype == DType::boolean);
}

}  // namespace

void infer_comparison(kernels::Comparison f, TypeContext& context) {
  const TensorType& type = input(context, 0);
  const bool texts = type.dtype == DType::string && f == kernels::Comparison::equal;
  if (!takes(f, type.dtype) && !texts) refuse(context.node, context.node.op + " does not take " + type.text());
  infer_broadcast(context, DType::boolean);
}

Cost can_compare(kernels::Comparison f, const NodeTypes& types) {
  if (!takes(f, types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const DType dtype = types.inputs[0].dtype;
  return element_steps(types, 0.5 * width_factor(dtype) + half_steps(dtype));
}

Cost can_compare_f32(const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return stream_all(types);
}

Prepared prepare_comparison(Compare compare, kernels::Comparison f, const Node& node) {
  return {[compare, f, node](const KernelArguments& a) {
    compare(f, a.inputs[0], aligned(node, a.inputs[0], a.inputs[1]), a.outputs[0]);
  }};
}

void infer_logic(TypeContext& context) {
  require(context, 0, kernels::Types<bool>{});
  infer_broadcast(context, DType::boolean);
}

Cost can_logic(const NodeTypes& types) {
  if (types.inputs[0].dtype != DType::boolean) return no_kernel(types.inputs[0].dtype);
  return element_steps(types, 0.1);
}

Prepared prepare_logic(kernels::Logic f, const Node& node) {
  return {[f, node](const KernelArguments& a) {
    kernels::logic(f, a.inputs[0], aligned(node, a.inputs[0], a.inputs[1]), a.outputs[0]);
  }};
}

}  // namespace skerry::ops
