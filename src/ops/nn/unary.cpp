#include "ops/nn/unary.hpp"

#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::Unary;

// Functions that cost no more than the memory they walk through.
bool is_cheap(Unary f) {
  using enum Unary;
  for (const Unary cheap : {abs_, ceil_, floor_, hard_sigmoid, hard_swish, leaky_relu, neg, reciprocal, relu, round_,
                            sign, softsign, sqrt_, thresholded_relu}) {
    if (f == cheap) return true;
  }
  return false;
}

}  // namespace

void infer_unary(Unary f, TypeContext& context) {
  const TensorType& type = input(context, 0);
  if (!kernels::unary_takes(f, type.dtype)) refuse(context.node, context.node.op + " does not take " + type.text());
  set_output(context, 0, type.dtype, type.shape);
}

Cost can_unary_f32(Unary f, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return is_cheap(f) ? stream_all(types) : transcendental(types);
}

Cost can_unary_ref(Unary f, const NodeTypes& types) {
  if (!kernels::unary_takes(f, types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  // The C library's transcendental functions take a few times a step of a plain loop.
  return scalar_steps(types, (is_cheap(f) ? 1.0 : 5.0) * static_cast<double>(elements(types.outputs[0])));
}

Prepared prepare_unary_f32(Unary f, kernels::UnaryParameters parameters) {
  return {[f, parameters](const KernelArguments& a) {
    kernels::unary_f32(f, parameters, a.inputs[0].as<float>(), a.outputs[0].as<float>());
  }};
}

Prepared prepare_unary_ref(Unary f, kernels::UnaryParameters parameters) {
  return {[f, parameters](const KernelArguments& a) { kernels::unary_ref(f, parameters, a.inputs[0], a.outputs[0]); }};
}

}  // namespace skerry::ops
