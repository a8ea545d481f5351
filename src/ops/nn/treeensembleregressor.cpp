#include <algorithm>
#include <array>

#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

std::int64_t targets_of(const Node& node) {
  const std::int64_t targets = node.integer("n_targets", 1);
  if (targets < 1 || targets > (1 << 24)) refuse(node, "n_targets is " + std::to_string(targets));
  return targets;
}

Aggregate aggregate_of(const Node& node) {
  constexpr std::array<std::string_view, 4> kNames = {"AVERAGE", "SUM", "MIN", "MAX"};
  const std::string name = node.text("aggregate_function", "SUM");
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) refuse(node, "aggregate_function is '" + name + "'");
  return static_cast<Aggregate>(found - kNames.begin());
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  const TensorType& x = input(context, 0);
  require_rank(context, 0, 1, 2);
  const Dim rows = !x.shape ? Dim() : x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
  set_output(context, 0, DType::f32, Dims{rows, Dim(targets_of(context.node))});
}

TreeEnsemble make(const Node& node) {
  return TreeEnsemble(node, "target", static_cast<std::size_t>(targets_of(node)));
}

void run(const Node& node, const TreeEnsemble& trees, const KernelArguments& a) {
  const auto targets = static_cast<std::size_t>(targets_of(node));
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  const Doubles base = real_list(node, "base_values");
  Doubles out(rows * targets, 0.0);
  trees.evaluate(doubles(a.inputs[0]), features, aggregate_of(node), out);
  const PostTransform transform = post_transform(node);
  for (std::size_t i = 0; i < out.size() && !base.empty(); ++i) out[i] += base[base.size() == 1 ? 0 : i % targets];
  for (std::size_t r = 0; r < rows; ++r) transform_scores(transform, std::span(out).subspan(r * targets, targets));
  store(out, a.outputs[0]);
}

constexpr KernelRow kKernels[] = {
    {"trees", can_reference, [](const Node& node, const NodeTypes&) { return prepared_trees(node, make, run); }}};

}  // namespace

extern const OpRecord treeensembleregressor_record;
const OpRecord treeensembleregressor_record = {
    .name = "ai.onnx.ml.TreeEnsembleRegressor",
    .since_opset = 5,
    .help =
        "f32 [N, n_targets]: for rows of x [N, features], the SUM, AVERAGE, MIN or MAX of the weights of the leaves "
        "that "
        "decision trees lead to, plus base_values, then post_transform.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
