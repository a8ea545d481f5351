#include <cmath>

#include "kernels/tensor/top.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  const TensorType& x = input(context, 0);
  std::optional<Dims> out = x.shape;
  const auto k = constant_integers(context, 1);
  if (out) {
    const auto axis = normal_axis(context.node, context.node.integer("axis", -1), out->size());
    if (k && k->size() != 1) refuse(context.node, "k is not one number");
    const Dim extent = (*out)[axis];
    if (k && (k->front() < 0 || (extent.is_known() && k->front() > extent.value)))
      refuse(context.node, "k is " + std::to_string(k->front()) + " for " + x.text());
    (*out)[axis] = k ? Dim(k->front()) : Dim();
  }
  set_output(context, 0, x.dtype, out);
  set_output(context, 1, DType::i64, out);
}

kernels::TopShape shape_of(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const auto axis = normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(x.rank()));
  const AxisLoops l(x, axis);
  const std::int64_t k = (*types.outputs[0].static_shape())[static_cast<int>(axis)];
  return {l.outer, l.length, l.inner, k, node.integer("largest", 1) != 0};
}

// A row is looked through, and each candidate put in order; few elements become candidates.
Cost can(const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!kernels::Numbers::contains(dtype)) return no_kernel(dtype);
  const kernels::TopShape s = shape_of(node, types);
  if (s.k > s.length) refuse(node, "k is more than there are elements");
  const auto k = static_cast<double>(s.k);
  const double of_an_element = (s.inner == 1 && is_f32(types) ? 0.8 : 3.0) + half_steps(dtype) / 4.0;
  constexpr double kOfACandidate = 16.0;
  return scalar_steps(
      types, static_cast<double>(s.outer * s.inner) *
                 (of_an_element * static_cast<double>(s.length) + kOfACandidate * (k + 32.0) * std::log2(k + 2.0)));
}

constexpr KernelRow kKernels[] = {
    {"top", can, [](const Node& node, const NodeTypes& types) -> Prepared {
       const kernels::TopShape s = shape_of(node, types);
       return {[s](const KernelArguments& a) { kernels::top(s, a.inputs[0], a.outputs[0], out_view(a, 1), a.scratch); },
               s.scratch_bytes()};
     }}};

}  // namespace

extern const OpRecord topk_record;
const OpRecord topk_record = {
    .name = "TopK",
    .since_opset = 24,
    .help =
        "The k largest (largest = 1) elements along `axis` (default the last) and their places, in order; of equal "
        "ones the first. Numbers.",
    .inputs = 2,
    .infer = infer,
    .upgrade = [](UpgradeContext& context) { integers_to_input(context, "k", 1); },
    .kernels = kKernels,
};

}  // namespace skerry::ops
