#include <algorithm>
#include <array>

#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

Aggregate aggregate_of(const Node& node) {
  constexpr std::array<std::string_view, 4> kNames = {"AVERAGE", "SUM", "MIN", "MAX"};
  const std::string name = node.text("aggregate_function", "SUM");
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) refuse(node, "aggregate_function is '" + name + "'");
  return static_cast<Aggregate>(found - kNames.begin());
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  infer_targets(context, DType::f32);
}

TreeEnsemble make(const Node& node) {
  return TreeEnsemble(node, "target", static_cast<std::size_t>(targets_of(node)));
}

void run(const Node& node, const TreeEnsemble& trees, const KernelArguments& a) {
  score_targets(node, trees, aggregate_of(node), a);
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
