#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView update = a.inputs[1];
  const MutableTensorView& y = a.outputs[0];
  std::memcpy(y.data(), a.inputs[0].data(), a.inputs[0].bytes());
  const auto starts = longs(in_view(a, 2));
  const auto axis = normal_axis(node, node.integer("axis", -2), static_cast<std::size_t>(y.shape().rank()));
  const std::int64_t most = y.shape()[static_cast<int>(axis)];
  if (most < 1) return;
  const bool circular = node.text("mode", "linear") == "circular";
  const Longs strides = strides_of(y.shape());
  Position at(update.shape());
  for (std::int64_t i = 0; i < update.elements(); ++i, at.next()) {
    std::int64_t k = at[axis] + (starts.empty() ? 0 : starts.at(static_cast<std::size_t>(at[0])));
    if (circular) k %= most;
    copy_element(update, i, y, at.in(strides) + (within(k, most) - at[axis]) * strides[axis]);
  }
}

}  // namespace

extern const OpRecord tensorscatter_record;
const OpRecord tensorscatter_record = {
    .name = "TensorScatter",
    .since_opset = 24,
    .help =
        "past_cache with `update` put in along `axis` (default -2) from write_indices[batch] (default 0) on; mode "
        "circular wraps around. Any dtype of whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
