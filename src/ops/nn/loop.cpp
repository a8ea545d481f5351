#include "ops/nn/data_node.hpp"
#include "ops/nn/subgraph_types.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Results of the body: whether to go on, the states, then what is gathered turn by turn.
void infer(TypeContext& context) {
  const Node& node = context.node;
  const std::size_t states = loop_states(node);
  if (node.outputs.size() < states)
    refuse(node, "Loop carries " + std::to_string(states) + " states but has " + std::to_string(node.outputs.size()) +
                     " outputs");
  const Graph& body = subgraph(node, "body", node.outputs.size() + 1);
  if (output_type(body, 0).dtype != DType::boolean) refuse(node, "the first result of body is not a bool");
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const TensorType& result = output_type(body, i + 1);
    if (i < states) {
      // A state that begins as an optional is what the body makes of it.
      const TensorType& begins = input(context, i + 2);
      const bool opened = !begins.is_tensor() && begins.wraps.front() == Wrap::optional &&
                          (result.is_tensor() || result.wraps.front() != Wrap::optional);
      set_type(context, i, merged(node, opened ? begins.unwrapped() : begins, result));
      continue;
    }
    if (!result.is_tensor()) refuse(node, "values that are gathered turn by turn are tensors, not " + result.text());
    std::optional<Dims> shape = result.shape;
    if (shape) shape->insert(shape->begin(), Dim());
    set_output(context, i, result.dtype, std::move(shape));
  }
}

}  // namespace

extern const OpRecord loop_record;
const OpRecord loop_record = {
    .name = "Loop",
    .since_opset = 25,
    .help =
        "Runs `body` on (turn, condition, states...) as long as the condition holds, at most M times (input 0, i64; "
        "absent: no bound). Its results are the next condition, the next states, and values that are gathered along "
        "a new first axis, one per turn.",
    .infer = infer,
    .takes_wrapped = true};

}  // namespace skerry::ops
