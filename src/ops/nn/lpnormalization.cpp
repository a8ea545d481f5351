#include <cmath>

#include "kernels/tensor/normalize.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const Shape shape = a.inputs[0].shape();
  const AxisLoops l(shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank())));
  const bool squares = node.integer("p", 2) == 2;
  Pace pace;
  for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
    pace(l.length);
    const auto at = [&](std::int64_t k) -> double& {
      return x[static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner)];
    };
    double norm = 0.0;
    for (std::int64_t k = 0; k < l.length; ++k) norm += squares ? at(k) * at(k) : std::abs(at(k));
    if (squares) norm = std::sqrt(norm);
    for (std::int64_t k = 0; k < l.length; ++k) at(k) = norm == 0.0 ? 0.0 : at(k) / norm;
  }
  store(x, a.outputs[0]);
}

AxisLoops loops_of(const Node& node, const NodeTypes& types) {
  const Shape shape = *types.inputs[0].static_shape();
  return {shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank()))};
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (elements(types.inputs[0]) == 0) return Unexpected{"no elements"};
  const AxisLoops l = loops_of(node, types);
  constexpr double kOfAnElement = 0.25, kOfARow = 30.0;
  const double rows = l.inner == 1 ? static_cast<double>(l.outer) : 0.0;
  return scalar_steps(types, kOfAnElement * static_cast<double>(elements(types.inputs[0])) + kOfARow * rows);
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  return {[l = loops_of(node, types), squares = node.integer("p", 2) == 2](const KernelArguments& a) {
    kernels::lp_normalization_f32(a.inputs[0].as<float>().data(), l.outer, l.length, l.inner, squares,
                                  a.outputs[0].as<float>().data());
  }};
}

constexpr KernelRow kKernels[] = {{"lp_normalization_f32", can_f32, prepare_f32}, kThroughF32, kReference<run>[0]};

}  // namespace

extern const OpRecord lpnormalization_record;
const OpRecord lpnormalization_record = {
    .name = "LpNormalization",
    .since_opset = 22,
    .help = "x / its p-norm (p 1 or 2, default 2) along `axis` (default the last); 0 where the norm is 0. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
