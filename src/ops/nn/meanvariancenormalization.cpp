#include <algorithm>
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
  const auto axes = normal_axes(node, node.integers("axes", {0, 2, 3}), static_cast<std::size_t>(shape.rank()));
  Longs strides(static_cast<std::size_t>(shape.rank()), 0);
  std::int64_t step = 1;
  for (std::size_t i = strides.size(); i-- > 0;) {
    if (std::ranges::find(axes, i) != axes.end()) continue;
    strides[i] = step;
    step *= shape[static_cast<int>(i)];
  }
  Doubles sums(static_cast<std::size_t>(step)), squares(sums.size());
  const double count = static_cast<double>(x.size()) / static_cast<double>(step);
  Position at(shape);
  for (const double v : x) {
    const auto to = static_cast<std::size_t>(at.in(strides));
    sums[to] += v / count;
    squares[to] += v * v / count;
    at.next();
  }
  for (double& v : x) {
    const auto to = static_cast<std::size_t>(at.in(strides));
    v = (v - sums[to]) / (std::sqrt(std::max(0.0, squares[to] - sums[to] * sums[to])) + 1e-9);
    at.next();
  }
  store(x, a.outputs[0]);
}

// Where one channel is what stays: all axes but the second one, or all but the first two.
std::optional<kernels::Groups> groups_of(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const auto rank = static_cast<std::size_t>(x.rank());
  const auto axes = normal_axes(node, node.integers("axes", {0, 2, 3}), rank);
  if (rank < 2 || x.elements() == 0) return std::nullopt;
  for (std::size_t axis = 2; axis < rank; ++axis) {
    if (std::ranges::find(axes, axis) == axes.end()) return std::nullopt;
  }
  const std::int64_t plane = x.elements() / (x[0] * x[1]);
  if (axes.size() + 2 == rank) return kernels::Groups{x[0] * x[1], 1, plane, plane, plane};
  if (axes.size() + 1 != rank || std::ranges::find(axes, 0U) == axes.end()) return std::nullopt;
  return kernels::Groups{x[1], x[0], plane, plane, x[1] * plane};
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const auto groups = groups_of(node, types);
  if (!groups) return Unexpected{"the axes are not those around the channels"};
  constexpr double kOfAnElement = 0.3, kOfAPlane = 30.0;
  return scalar_steps(types, kOfAnElement * static_cast<double>(elements(types.inputs[0])) +
                                 kOfAPlane * static_cast<double>(groups->count * groups->runs));
}

constexpr double kAddedToDeviation = 1e-9;

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  return {[groups = *groups_of(node, types)](const KernelArguments& a) {
    kernels::group_normalization_f32(groups, a.inputs[0].as<float>().data(), 1, nullptr, nullptr, 0.0,
                                     kAddedToDeviation, a.outputs[0].as<float>().data());
  }};
}

constexpr KernelRow kKernels[] = {
    {"group_normalization_f32", can_f32, prepare_f32}, kThroughF32, kReference<run, can_reference<35>>[0]};

}  // namespace

extern const OpRecord meanvariancenormalization_record;
const OpRecord meanvariancenormalization_record = {
    .name = "MeanVarianceNormalization",
    .since_opset = 13,
    .help = "(x - mean) / (standard deviation + 1e-9) over `axes` (default 0, 2, 3). Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
