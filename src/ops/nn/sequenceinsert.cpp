#include "ops/nn/data_node.hpp"
#include "ops/nn/subgraph_types.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType items = inside(context, 0, Wrap::sequence);
  set_type(context, 0, merged(context.node, items, input(context, 1)).wrapped(Wrap::sequence));
}

std::vector<Datum> carry_out(DataNode& context) {
  std::vector<Datum> items = take_items(context);
  const std::size_t at = position_in(context, 2, items.size(), items.size());
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), datum_in(context, 1));
  return {sequence_of(context.node, std::move(items))};
}

}  // namespace

extern const OpRecord sequenceinsert_record;
const OpRecord sequenceinsert_record = {
    .name = "SequenceInsert",
    .since_opset = 11,
    .help =
        "The sequence with a tensor of its dtype put in before `position`, which counts from the end below 0; at the "
        "end without one.",
    .inputs = 2,
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true};

}  // namespace skerry::ops
