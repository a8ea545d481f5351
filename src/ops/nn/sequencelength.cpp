#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  inside(context, 0, Wrap::sequence);
  set_output(context, 0, DType::i64, Dims{});
}

std::vector<Datum> carry_out(DataNode& context) {
  const auto count = static_cast<std::int64_t>(sequence_in(context, 0).size());
  return {Tensor::from<std::int64_t>(std::span(&count, 1), Shape{})};
}

}  // namespace

extern const OpRecord sequencelength_record;
const OpRecord sequencelength_record = {.name = "SequenceLength",
                                        .since_opset = 11,
                                        .help = "How many items the sequence has, i64 [].",
                                        .inputs = 1,
                                        .infer = infer,
                                        .carry_out = carry_out,
                                        .takes_wrapped = true};

}  // namespace skerry::ops
