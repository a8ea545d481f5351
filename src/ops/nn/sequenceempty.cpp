#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType item{dtype_attribute(context.node, "dtype", DType::f32), std::nullopt};
  set_type(context, 0, item.wrapped(Wrap::sequence));
}

std::vector<Datum> carry_out(DataNode&) {
  return {Sequence()};
}

}  // namespace

extern const OpRecord sequenceempty_record;
const OpRecord sequenceempty_record = {.name = "SequenceEmpty",
                                       .since_opset = 11,
                                       .help = "A sequence without items, for tensors of `dtype` (default f32).",
                                       .infer = infer,
                                       .carry_out = carry_out};

}  // namespace skerry::ops
