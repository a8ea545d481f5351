#include "ops/nn/unary.hpp"

#include <algorithm>
#include <initializer_list>

#include "kernels/tensor/halves.hpp"
#include "kernels/tensor/narrow.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::Unary;

// What an element costs beside its way through memory.
enum class UnaryPrice : std::uint8_t { nothing, light, rounding, exponential, heavy };

UnaryPrice price_of(Unary f) {
  using enum Unary;
  const auto is_one_of = [f](std::initializer_list<Unary> list) { return std::ranges::find(list, f) != list.end(); };
  if (is_one_of({abs_, neg, relu, sign})) return UnaryPrice::nothing;
  if (is_one_of({hard_sigmoid, hard_swish, leaky_relu, reciprocal, softsign, sqrt_, thresholded_relu}))
    return UnaryPrice::light;
  if (is_one_of({ceil_, floor_, round_})) return UnaryPrice::rounding;
  if (is_one_of({celu, elu, exp_, log_, selu, sigmoid})) return UnaryPrice::exponential;
  return UnaryPrice::heavy;
}

// Scalar steps of the C library's function, or of the loop that the compiler made.
double steps_of(Unary f, DType dtype) {
  switch (price_of(f)) {
    case UnaryPrice::nothing:
      return 0.2 * width_factor(dtype);
    case UnaryPrice::light:
      return 0.5 * width_factor(dtype);
    case UnaryPrice::rounding:
      return 2.5;
    case UnaryPrice::exponential:
      return 4.5;
    case UnaryPrice::heavy:
      return 17.0;
  }
  return 0.0;
}

}  // namespace

void infer_unary(Unary f, TypeContext& context) {
  const TensorType& type = input(context, 0);
  if (!kernels::unary_takes(f, type.dtype)) refuse(context.node, context.node.op + " does not take " + type.text());
  set_output(context, 0, type.dtype, type.shape);
}

Cost can_unary_f32(Unary f, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return price_of(f) < UnaryPrice::exponential ? stream_all(types) : transcendental(types);
}

Cost can_unary_half(Unary f, const NodeTypes& types) {
  if (!kernels::is_half_dtype(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  auto work = price_of(f) < UnaryPrice::exponential ? stream_all(types) : transcendental(types);
  work.push_back({kernels::Rate::scalar, kernels::kStepsOfAHalf * static_cast<double>(elements(types.outputs[0]))});
  return work;
}

Cost can_unary_ref(Unary f, const NodeTypes& types) {
  if (!kernels::unary_takes(f, types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return element_steps(types, steps_of(f, types.inputs[0].dtype) + half_steps(types.inputs[0].dtype));
}

Prepared prepare_unary_f32(Unary f, kernels::UnaryParameters parameters) {
  return {[f, parameters](const KernelArguments& a) {
    kernels::unary_f32(f, parameters, a.inputs[0].as<float>(), a.outputs[0].as<float>());
  }};
}

Prepared prepare_unary_half(Unary f, kernels::UnaryParameters parameters) {
  return {[f, parameters](const KernelArguments& a) { kernels::unary_half(f, parameters, a.inputs[0], a.outputs[0]); }};
}

Prepared prepare_unary_ref(Unary f, kernels::UnaryParameters parameters) {
  return {[f, parameters](const KernelArguments& a) { kernels::unary_ref(f, parameters, a.inputs[0], a.outputs[0]); }};
}

}  // namespace skerry::ops
