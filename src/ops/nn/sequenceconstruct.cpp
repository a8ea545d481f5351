#include "ops/nn/data_node.hpp"
#include "ops/nn/subgraph_types.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  TensorType item = input(context, 0);
  for (std::size_t i = 1; i < context.inputs.size(); ++i) item = merged(context.node, item, input(context, i));
  set_type(context, 0, item.wrapped(Wrap::sequence));
}

std::vector<Datum> carry_out(DataNode& context) {
  return {sequence_of(context.node, {context.inputs.begin(), context.inputs.end()})};
}

}  // namespace

extern const OpRecord sequenceconstruct_record;
const OpRecord sequenceconstruct_record = {.name = "SequenceConstruct",
                                           .since_opset = 11,
                                           .help = "The sequence of the inputs: tensors of one dtype, of any shapes.",
                                           .inputs = 1,
                                           .infer = infer,
                                           .carry_out = carry_out};

}  // namespace skerry::ops
