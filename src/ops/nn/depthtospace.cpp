#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  if (!require_rank(context, 0, 4, 4)) return set_output(context, 0, input(context, 0).dtype, std::nullopt);
  const std::int64_t b = context.node.integer("blocksize", 0);
  if (b < 1 || b > 65536) refuse(context.node, "blocksize is " + std::to_string(b));
  const auto shape = known_shape(context, 0);
  if (!shape) return set_output(context, 0, input(context, 0).dtype, Dims(4));
  const Shape& x = *shape;
  if (x[1] % (b * b) != 0)
    refuse(context.node, input(context, 0).text() + " does not divide into blocks of " + std::to_string(b));
  set_output(context, 0, input(context, 0).dtype, Dims{x[0], x[1] / (b * b), x[2] * b, x[3] * b});
}

void run(const Node& node, const KernelArguments& a) {
  const std::int64_t b = node.integer("blocksize", 1);
  const bool columns_last = node.text("mode", "DCR") == "DCR";
  const Shape deep = a.inputs[0].shape(), wide = a.outputs[0].shape();
  const Longs strides = strides_of(deep);
  Position at(wide);
  for (std::int64_t i = 0; i < wide.elements(); ++i, at.next()) {
    const std::int64_t y = at[2] % b, x = at[3] % b;
    const std::int64_t channel = columns_last ? (y * b + x) * wide[1] + at[1] : (at[1] * b + y) * b + x;
    const std::int64_t other = at[0] * strides[0] + channel * strides[1] + at[2] / b * strides[2] + at[3] / b;
    copy_element(a.inputs[0], other, a.outputs[0], i);
  }
}

}  // namespace

extern const OpRecord depthtospace_record;
const OpRecord depthtospace_record = {
    .name = "DepthToSpace",
    .since_opset = 28,
    .help =
        "Blocks of channels become blocksize x blocksize pixels; mode DCR (default) or CRD. [N, C, H, W], any dtype of "
        "whole bytes.",
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
