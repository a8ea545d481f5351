#include <algorithm>
#include <cmath>

#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require_rank(context, 0, 1, 2);
  const std::string norm = context.node.text("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2") refuse(context.node, "norm is '" + norm + "'");
  set_output(context, 0, DType::f32, input(context, 0).shape);
}

void run(const Node& node, const KernelArguments& a) {
  constexpr double kLeast = 1e-30;
  const std::string norm = node.text("norm", "MAX");
  const auto [rows, columns] = rows_and_columns(node, a.inputs[0].shape());
  Doubles x = doubles(a.inputs[0]);
  for (std::size_t r = 0; r < rows; ++r) {
    double size = 0.0;
    for (std::size_t c = 0; c < columns; ++c) {
      const double value = std::abs(x[r * columns + c]);
      size = norm == "MAX" ? std::max(size, value) : size + (norm == "L2" ? value * value : value);
    }
    if (norm == "L2") size = std::sqrt(size);
    for (std::size_t c = 0; c < columns; ++c) x[r * columns + c] /= std::max(size, kLeast);
  }
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord normalizer_record;
const OpRecord normalizer_record = {
    .name = "ai.onnx.ml.Normalizer",
    .since_opset = 5,
    .help = "Each row divided by its norm: MAX (largest magnitude), L1 or L2; f32. A row of zeros stays.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
