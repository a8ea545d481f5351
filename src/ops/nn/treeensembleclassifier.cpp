#include <algorithm>

#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  infer_classifier(context, "classlabels_int64s", "classlabels_strings");
}

// Scores of one class alone are those of the second of two.
void spread_single(std::span<double> row, PostTransform transform, bool counts_as_probability) {
  row[1] = row[0];
  row[0] = counts_as_probability && (transform == PostTransform::none || transform == PostTransform::probit)
               ? 1.0 - row[1]
               : -row[1];
}

std::size_t classes_of(const Node& node) {
  const std::size_t numbers = integer_list(node, "classlabels_int64s").size();
  const Attribute* names = node.find("classlabels_strings");
  return numbers > 0 || names == nullptr ? numbers : std::get<std::vector<std::string>>(*names).size();
}

TreeEnsemble make(const Node& node) {
  return TreeEnsemble(node, "class", classes_of(node));
}

void run(const Node& node, const TreeEnsemble& trees, const KernelArguments& a) {
  const Longs labels = integer_list(node, "classlabels_int64s");
  const std::size_t classes = trees.targets();
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  const Doubles base = real_list(node, "base_values");
  Doubles scores(rows * classes, 0.0);
  for (std::size_t i = 0; i < scores.size() && !base.empty(); ++i) scores[i] = base[base.size() == 1 ? 0 : i % classes];
  trees.evaluate(doubles(a.inputs[0]), features, Aggregate::sum, scores);
  const PostTransform transform = post_transform(node);
  const bool single = trees.single_target();
  const std::size_t wide = std::max<std::size_t>(classes, 2);
  Doubles out(rows * wide);
  Longs chosen(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<double> row(out.data() + r * wide, wide);
    std::copy_n(scores.begin() + static_cast<std::ptrdiff_t>(r * classes), classes, row.begin());
    if (single || classes == 1) spread_single(row, transform, true);
    transform_scores(transform, row);
    const auto best = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    chosen[r] = classes == 1 ? (best == 1 ? labels[0] : 0) : labels.empty() ? 0 : labels[best];
  }
  store(chosen, out_view(a, 0));
  store(out, out_view(a, 1));
}

constexpr KernelRow kKernels[] = {
    {"trees", can_reference, [](const Node& node, const NodeTypes&) { return prepared_trees(node, make, run); }}};

}  // namespace

extern const OpRecord treeensembleclassifier_record;
const OpRecord treeensembleclassifier_record = {
    .name = "ai.onnx.ml.TreeEnsembleClassifier",
    .since_opset = 5,
    .help =
        "The label (i64 or string [N]) and the scores (f32 [N, classes]) that decision trees give to rows of x [N, "
        "features]: "
        "the "
        "weights of the leaves that are reached, summed, then post_transform. Of trees that speak of one class alone "
        "the other's score is 1 minus it, or its negative before a transform.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
    .carry_out = [](DataNode& context) { return classify_texts(context, "classlabels_int64s", "classlabels_strings"); },
};

}  // namespace skerry::ops
