#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"

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

}  // namespace

extern const OpRecord meanvariancenormalization_record;
const OpRecord meanvariancenormalization_record = {
    .name = "MeanVarianceNormalization",
    .since_opset = 13,
    .help = "(x - mean) / (standard deviation + 1e-9) over `axes` (default 0, 2, 3). Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
