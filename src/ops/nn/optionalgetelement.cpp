#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& type = input(context, 0);
  const bool is_optional = !type.is_tensor() && type.wraps.front() == Wrap::optional;
  set_type(context, 0, is_optional ? type.unwrapped() : type);
}

std::vector<Datum> carry_out(DataNode& context) {
  return {fitted(datum_in(context, 0), context.outputs[0])};
}

}  // namespace

extern const OpRecord optionalgetelement_record;
const OpRecord optionalgetelement_record = {
    .name = "OptionalGetElement",
    .since_opset = 28,
    .help = "What the optional holds, or the tensor or sequence itself; refused when it holds nothing.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true};

}  // namespace skerry::ops
