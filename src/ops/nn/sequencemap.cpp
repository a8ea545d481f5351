#include "ops/nn/data_node.hpp"
#include "ops/nn/subgraph_types.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const Node& node = context.node;
  inside(context, 0, Wrap::sequence);
  const Graph& body = subgraph(node, "body", node.outputs.size());
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const TensorType& item = output_type(body, i);
    if (!item.is_tensor()) refuse(node, "a sequence of " + item.text() + " cannot be made");
    set_type(context, i, item.wrapped(Wrap::sequence));
  }
}

}  // namespace

extern const OpRecord sequencemap_record;
const OpRecord sequencemap_record = {
    .name = "SequenceMap",
    .since_opset = 17,
    .help =
        "Runs `body` once for each item of the first input; further sequences of as many items give it one of theirs, "
        "tensors are given to all. Each result becomes a sequence.",
    .inputs = 1,
    .infer = infer,
    .takes_wrapped = true};

}  // namespace skerry::ops
