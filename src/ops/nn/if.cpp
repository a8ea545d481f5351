#include "ops/nn/data_node.hpp"
#include "ops/nn/subgraph_types.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const Node& node = context.node;
  require(context, 0, kernels::Types<bool>{});
  const Graph& yes = subgraph(node, "then_branch", node.outputs.size());
  const Graph& no = subgraph(node, "else_branch", node.outputs.size());
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const TensorType &a = output_type(yes, i), &b = output_type(no, i);
    // A branch that makes no sense for these inputs has results without a shape and decides nothing.
    const bool open = a.dtype != b.dtype && (!a.shape || !b.shape);
    const bool tensors = a.is_tensor() && b.is_tensor();
    set_type(context, i, open && tensors ? TensorType{a.shape ? a.dtype : b.dtype, std::nullopt} : merged(node, a, b));
  }
}

}  // namespace

extern const OpRecord if_record;
const OpRecord if_record = {
    .name = "If",
    .since_opset = 25,
    .help =
        "The results of then_branch if the bool scalar is true, else those of else_branch. Both branches have as "
        "many results, of the same dtypes; extents in which they differ are not known beforehand.",
    .infer = infer,
    .takes_wrapped = true};

}  // namespace skerry::ops
