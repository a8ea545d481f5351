#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  set_output(context, 0, DType::boolean, Dims{});
}

std::vector<Datum> carry_out(DataNode& context) {
  const auto* optional = has_input(context.node, 0) ? context.inputs[0].as<skerry::Optional>() : nullptr;
  const bool holds = has_input(context.node, 0) && (optional == nullptr || optional->item != nullptr);
  return {Tensor::from<bool>(std::span(&holds, 1), Shape{})};
}

}  // namespace

extern const OpRecord optionalhaselement_record;
const OpRecord optionalhaselement_record = {
    .name = "OptionalHasElement",
    .since_opset = 28,
    .help = "Whether the optional holds something, bool []: a tensor or sequence does, an input left out does not.",
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true};

}  // namespace skerry::ops
