#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &x = input(context, 0), &indices = input(context, 1);
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  if (x.shape && indices.shape && x.shape->size() != indices.shape->size())
    refuse(context.node, "x and indices differ in rank");
  set_output(context, 0, x.dtype, indices.shape);
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const auto indices = longs(a.inputs[1]);
  const Shape shape = a.inputs[1].shape();
  const auto axis = normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(x.shape().rank()));
  const Longs strides = strides_of(x.shape());
  Position at(shape);
  for (std::size_t i = 0; i < indices.size(); ++i, at.next()) {
    const std::int64_t k = within(indices[i], x.shape()[static_cast<int>(axis)]);
    copy_element(x, at.in(strides) + (k - at[axis]) * strides[axis], a.outputs[0], static_cast<std::int64_t>(i));
  }
}

}  // namespace

extern const OpRecord gatherelements_record;
const OpRecord gatherelements_record = {
    .name = "GatherElements",
    .since_opset = 13,
    .help = "y[i] = x[i with its place along `axis` (default 0) replaced by indices[i]]. Any dtype of whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
