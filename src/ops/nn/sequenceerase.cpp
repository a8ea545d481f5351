#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  set_type(context, 0, inside(context, 0, Wrap::sequence).wrapped(Wrap::sequence));
}

std::vector<Datum> carry_out(DataNode& context) {
  std::vector<Datum> items = take_items(context);
  const std::size_t at = position_in(context, 1, items.size(), items.size() - 1);
  if (at >= items.size())
    throw Error(ErrorCode::out_of_range, "nothing stands at the end of " + std::to_string(items.size()) + " items");
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  return {sequence_of(context.node, std::move(items))};
}

}  // namespace

extern const OpRecord sequenceerase_record;
const OpRecord sequenceerase_record = {
    .name = "SequenceErase",
    .since_opset = 11,
    .help = "The sequence without the item at `position`, which counts from the end below 0; without the last item.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true};

}  // namespace skerry::ops
