#include <algorithm>

#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  infer_classifier(context, "classlabels_ints", "classlabels_strings");
  const std::size_t columns = real_list(context.node, "intercepts").size();
  const TensorType& x = input(context, 0);
  if (columns == 1 && integer_list(context.node, "classlabels_ints").size() == 1 && context.outputs.size() > 1) {
    const Dim rows = !x.shape ? Dim() : x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
    set_output(context, 1, DType::f32, Dims{rows, Dim(1)});
  }
}

// score[n, e] = intercept[e] + sum_c x[n, c] coefficient[e, c]
void run(const Node& node, const KernelArguments& a) {
  const Longs labels = integer_list(node, "classlabels_ints");
  const Doubles coefficients = real_list(node, "coefficients"), intercepts = real_list(node, "intercepts");
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  if (features == 0 || coefficients.empty() || coefficients.size() % features != 0)
    refuse(node, std::to_string(coefficients.size()) + " coefficients for " + std::to_string(features) + " features");
  const std::size_t columns = coefficients.size() / features;
  const Doubles x = doubles(a.inputs[0]);
  const PostTransform transform = post_transform(node);
  const MutableTensorView scores = out_view(a, 1);
  const std::size_t wide = columns == 1 && labels.size() != 1 ? 2 : columns;
  if (!scores.empty() && scores.elements() != static_cast<std::int64_t>(rows * wide))
    refuse(node, "coefficients and labels do not fit together");
  Doubles out(rows * wide);
  Longs chosen(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<double> row(out.data() + r * wide, wide);
    for (std::size_t e = 0; e < columns; ++e) {
      row[e] = intercepts.empty() ? 0.0 : intercepts[e];
      for (std::size_t c = 0; c < features; ++c) row[e] += x[r * features + c] * coefficients[e * features + c];
    }
    if (wide > columns) {
      row[1] = row[0];
      row[0] = -row[1];
    }
    transform_scores(transform, row);
    if (wide == 1) {
      const bool yes = row[0] >= (transform == PostTransform::none ? 0.0 : 0.5);
      chosen[r] = labels.empty() ? static_cast<std::int64_t>(yes) : yes ? labels[0] : 0;
    } else {
      const auto best = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
      chosen[r] = labels.empty() ? static_cast<std::int64_t>(best) : labels[best];
    }
  }
  store(chosen, out_view(a, 0));
  store(out, scores);
}

}  // namespace

extern const OpRecord linearclassifier_record;
const OpRecord linearclassifier_record = {
    .name = "ai.onnx.ml.LinearClassifier",
    .since_opset = 5,
    .help =
        "Scores f32 [N, classes] = post_transform(x coefficients^T + intercepts) and the label (i64 or string) of the "
        "largest; "
        "of "
        "one column for two classes the other's score is its negative before the transform.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
    .carry_out = [](DataNode& context) { return classify_texts(context, "classlabels_ints", "classlabels_strings"); },
};

}  // namespace skerry::ops
