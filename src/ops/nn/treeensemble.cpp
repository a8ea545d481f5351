#include <algorithm>

#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

std::int64_t targets_of(const Node& node) {
  const std::int64_t targets = node.integer("n_targets", 1);
  if (targets < 1 || targets > (1 << 24)) refuse(node, "n_targets is " + std::to_string(targets));
  return targets;
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType& x = input(context, 0);
  require_rank(context, 0, 1, 2);
  const Dim rows = !x.shape ? Dim() : x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
  set_output(context, 0, x.dtype, Dims{rows, Dim(targets_of(context.node))});
}

TreeEnsemble make(const Node& node) {
  return TreeEnsemble::version5(node);
}

void run(const Node& node, const TreeEnsemble& trees, const KernelArguments& a) {
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  const std::int64_t aggregate = node.integer("aggregate_function", 1);
  if (aggregate < 0 || aggregate > 3) refuse(node, "aggregate_function is " + std::to_string(aggregate));
  Doubles out(rows * trees.targets(), 0.0);
  trees.evaluate(doubles(a.inputs[0]), features, static_cast<Aggregate>(aggregate), out);
  const PostTransform transform = post_transform(node);
  for (std::size_t r = 0; r < rows; ++r)
    transform_scores(transform, std::span(out).subspan(r * trees.targets(), trees.targets()));
  store(out, a.outputs[0]);
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
