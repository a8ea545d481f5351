#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  infer_targets(context, input(context, 0).dtype);
}

TreeEnsemble make(const Node& node) {
  return TreeEnsemble::version5(node);
}

void run(const Node& node, const TreeEnsemble& trees, const KernelArguments& a) {
  const std::int64_t aggregate = node.integer("aggregate_function", 1);
  if (aggregate < 0 || aggregate > 3) refuse(node, "aggregate_function is " + std::to_string(aggregate));
  score_targets(node, trees, static_cast<Aggregate>(aggregate), a);
}

constexpr KernelRow kKernels[] = {
    {"trees", can_reference, [](const Node& node, const NodeTypes&) { return prepared_trees(node, make, run); }}};

}  // namespace

extern const OpRecord treeensemble_record;
const OpRecord treeensemble_record = {
    .name = "ai.onnx.ml.TreeEnsemble",
    .since_opset = 5,
    .help =
        "[N, n_targets]: for rows of x [N, features], the aggregate (0 average, 1 sum, 2 min, 3 max) of the weights of "
        "the leaves that decision trees lead to; nodes compare a feature with a split or look it up in a set.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
