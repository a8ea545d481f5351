#include <array>
#include <memory>

#include "kernels/tensor/mapped.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

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

Cost can(const Node&, const NodeTypes& types) {
  if (dtype_bits(types.inputs[0].dtype) < 8) return no_kernel(types.inputs[0].dtype);
  return row_copies(types, rows_of(types.outputs[0]));
}

Prepared prepare(const Node&, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  const auto source = [&](std::size_t axis, std::int64_t i) {
    const std::int64_t had = x[static_cast<int>(axis)], has = y[static_cast<int>(axis)];
    const std::int64_t from = i + (had >= has ? (had - has) / 2 : -((has - had) / 2));
    return from < had ? from : -1;
  };
  // shared: std::function copies its target
  const auto copy = std::make_shared<const kernels::MappedCopy>(x, y, source);
  return {[copy](const KernelArguments& a) {
            constexpr std::array<std::byte, 16> kZero{};
            copy->run(a.inputs[0], kZero.data(), a.outputs[0]);
          },
          0, copy->bytes()};
}

constexpr KernelRow kKernels[] = {{"mapped_copy", can, prepare}};

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
    .kernels = kKernels,
};

}  // namespace skerry::ops
