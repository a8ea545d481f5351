#include <algorithm>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 1, kernels::Types<std::int64_t>{});
  const TensorType &x = input(context, 0), &indices = input(context, 1);
  if (!x.shape || !indices.shape || indices.shape->empty() || !indices.shape->back().is_known())
    return set_output(context, 0, x.dtype, std::nullopt);
  const auto depth = static_cast<std::size_t>(indices.shape->back().value);
  const auto batch = static_cast<std::size_t>(context.node.integer("batch_dims", 0));
  if (batch + depth > x.shape->size() || batch >= indices.shape->size())
    refuse(context.node, "indices point into " + std::to_string(depth) + " axes of " + x.text());
  Dims out(indices.shape->begin(), indices.shape->end() - 1);
  out.insert(out.end(), x.shape->begin() + static_cast<std::ptrdiff_t>(batch + depth), x.shape->end());
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const auto indices = longs(a.inputs[1]);
  const Shape shape = a.inputs[1].shape();
  const auto depth = static_cast<std::size_t>(shape[shape.rank() - 1]);
  const auto batch = static_cast<std::size_t>(node.integer("batch_dims", 0));
  const Longs strides = strides_of(x.shape());
  std::int64_t batches = 1, run_length = 1;
  for (std::size_t k = 0; k < strides.size(); ++k) {
    if (k < batch) batches *= x.shape()[static_cast<int>(k)];
    if (k >= batch + depth) run_length *= x.shape()[static_cast<int>(k)];
  }
  const std::int64_t points = depth == 0 ? a.outputs[0].elements() / std::max<std::int64_t>(run_length, 1)
                                         : static_cast<std::int64_t>(indices.size() / depth);
  const std::int64_t batch_size = batches == 0 ? 0 : x.elements() / batches;
  const std::int64_t each = std::max<std::int64_t>(points / std::max<std::int64_t>(batches, 1), 1);
  const Shape xs = x.shape();
  const auto place = [&](std::int64_t i) {
    std::int64_t from = i / each * batch_size;
    for (std::size_t k = 0; k < depth; ++k)
      from += within(indices.data()[static_cast<std::size_t>(i) * depth + k], xs[static_cast<int>(batch + k)]) *
              strides[batch + k];
    return from;
  };
  const bool fits = x.elements() > 0 && points == a.outputs[0].elements() && x.dtype() == a.outputs[0].dtype();
  if (run_length == 1 && fits && width_of(x.dtype()) == sizeof(float)) {
    // Single elements of the usual width.
    const auto* const in = reinterpret_cast<const std::uint32_t*>(x.data());
    auto* const out = reinterpret_cast<std::uint32_t*>(a.outputs[0].data());
    const auto room = static_cast<std::uint64_t>(x.elements());
    Pace pace;
    for (std::int64_t i = 0; i < points; ++i) {
      pace();
      const std::int64_t from = place(i);
      if (static_cast<std::uint64_t>(from) >= room) outside("indices of another batch");
      out[i] = in[from];
    }
    return;
  }
  for (std::int64_t i = 0; i < points; ++i) copy_elements(x, place(i), a.outputs[0], i * run_length, run_length);
}

// What is not pointed at is not touched.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  constexpr double kOfAnIndex = 14.0, kOfAnElement = 0.5;
  return serial_steps(types, kOfAnIndex * static_cast<double>(elements(types.inputs[1])) +
                                 kOfAnElement * static_cast<double>(elements(types.outputs[0])));
}

}  // namespace

extern const OpRecord gathernd_record;
const OpRecord gathernd_record = {
    .name = "GatherND",
    .since_opset = 13,
    .help =
        "Slices of x that the last axis of indices points at, behind batch_dims (0) axes that both share. Any dtype of "
        "whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_places>,
};

}  // namespace skerry::ops
