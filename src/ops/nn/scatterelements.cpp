#include <cstring>

#include "ops/nn/scattered.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &x = input(context, 0), &indices = input(context, 1), &updates = input(context, 2);
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  for (const TensorType* type : {&indices, &updates}) {
    if (x.shape && type->shape && x.shape->size() != type->shape->size())
      refuse(context.node, "x, indices and updates differ in rank");
  }
  infer_scattered(context);
}

void run(const Node& node, const KernelArguments& a) {
  const MutableTensorView& y = a.outputs[0];
  std::memcpy(y.data(), a.inputs[0].data(), a.inputs[0].bytes());
  const auto indices = longs(a.inputs[1]);
  Scatter scatter(node, a.inputs[2], y);
  const auto axis = normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(y.shape().rank()));
  const Longs strides = strides_of(y.shape());
  Position at(a.inputs[1].shape());
  for (std::size_t i = 0; i < indices.size(); ++i, at.next()) {
    const std::int64_t k = within(indices[i], y.shape()[static_cast<int>(axis)]);
    scatter(at.in(strides) + (k - at[axis]) * strides[axis], static_cast<std::int64_t>(i), 1);
  }
}

}  // namespace

extern const OpRecord scatterelements_record;
const OpRecord scatterelements_record = {
    .name = "ScatterElements",
    .since_opset = 18,
    .help =
        "x with updates[i] put where i, its place along `axis` (default 0) replaced by indices[i], points; reduction "
        "none, add, mul, max or min.",
    .inputs = 3,
    .infer = infer,
    .kernels = kMover<run, 12>,
};

}  // namespace skerry::ops
