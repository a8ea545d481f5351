#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  infer_targets(context, DType::f32, "targets");
}

void run(const Node& node, const KernelArguments& a) {
  const auto targets = static_cast<std::size_t>(targets_of(node, "targets"));
  const Doubles coefficients = real_list(node, "coefficients"), intercepts = real_list(node, "intercepts");
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  if (coefficients.size() != targets * features)
    refuse(node, std::to_string(coefficients.size()) + " coefficients for " + std::to_string(features) + " features");
  const Doubles x = doubles(a.inputs[0]);
  Doubles out(rows * targets);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t t = 0; t < targets; ++t) {
      double sum = intercepts.empty() ? 0.0 : intercepts[t];
      for (std::size_t c = 0; c < features; ++c) sum += x[r * features + c] * coefficients[t * features + c];
      out[r * targets + t] = sum;
    }
    transform_scores(post_transform(node), std::span(out).subspan(r * targets, targets));
  }
  store(out, a.outputs[0]);
}

}  // namespace

extern const OpRecord linearregressor_record;
const OpRecord linearregressor_record = {
    .name = "ai.onnx.ml.LinearRegressor",
    .since_opset = 5,
    .help = "f32 [N, targets] = post_transform(x coefficients^T + intercepts) for rows of x [N, features].",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
