#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  set_type(context, 0, inside(context, 0, Wrap::sequence));
}

std::vector<Datum> carry_out(DataNode& context) {
  const Sequence& sequence = sequence_in(context, 0);
  const std::size_t at = position_in(context, 1, sequence.size(), sequence.size());
  if (at >= sequence.size())
    throw Error(ErrorCode::out_of_range, "item " + std::to_string(at) + " of " + std::to_string(sequence.size()));
  return {(*sequence.items)[at]};
}

}  // namespace

extern const OpRecord sequenceat_record;
const OpRecord sequenceat_record = {.name = "SequenceAt",
                                    .since_opset = 11,
                                    .help = "The item at `position`, which counts from the end below 0.",
                                    .inputs = 2,
                                    .infer = infer,
                                    .carry_out = carry_out,
                                    .takes_wrapped = true};

}  // namespace skerry::ops
