#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

std::vector<std::size_t> axes_of(const Node& node, std::size_t rank) {
  std::vector<std::int64_t> all;
  for (std::size_t i = 0; i < rank; ++i) all.push_back(static_cast<std::int64_t>(i));
  return normal_axes(node, node.integers("axes", all), rank);
}

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  const auto wanted = wanted_dims(context, 1);
  std::optional<Dims> out = x.shape;
  if (out && wanted) {
    const auto axes = axes_of(context.node, out->size());
    if (axes.size() != wanted->size()) refuse(context.node, "as many extents as axes are needed");
    for (std::size_t i = 0; i < axes.size(); ++i) (*out)[axes[i]] = (*wanted)[i];
  } else {
    out = x.shape ? std::optional<Dims>(Dims(x.shape->size())) : std::nullopt;
  }
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node&, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const Shape to = a.outputs[0].shape();
  const Longs strides = strides_of(x.shape());
  std::memset(a.outputs[0].data(), 0, a.outputs[0].bytes());
  Position at(to);
  for (std::int64_t i = 0; i < to.elements(); ++i, at.next()) {
    std::int64_t from = 0;
    bool inside = true;
    for (int k = 0; k < to.rank(); ++k) {
      const std::int64_t had = x.shape()[k], has = to[k];
      const std::int64_t p = at[static_cast<std::size_t>(k)] + (had >= has ? (had - has) / 2 : -((has - had) / 2));
      inside = inside && p >= 0 && p < had;
      from += p * strides[static_cast<std::size_t>(k)];
    }
    if (inside) copy_element(x, from, a.outputs[0], i);
  }
}

}  // namespace

extern const OpRecord centercroppad_record;
const OpRecord centercroppad_record = {
    .name = "CenterCropPad",
    .since_opset = 18,
    .help =
        "Each of `axes` (default all) cut or filled with zeros on both sides to the extents in `shape`. Any dtype of "
        "whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
