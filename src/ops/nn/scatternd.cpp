#include <cstring>

#include "ops/nn/scattered.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 1, kernels::Types<std::int64_t>{});
  const TensorType& indices = input(context, 1);
  if (indices.shape && indices.shape->empty()) refuse(context.node, "indices are one number, not a list of places");
  infer_scattered(context);
}

void run(const Node& node, const KernelArguments& a) {
  std::memcpy(a.outputs[0].data(), a.inputs[0].data(), a.inputs[0].bytes());
  const MutableTensorView& y = a.outputs[0];
  const auto indices = longs(a.inputs[1]);
  Scatter scatter(node, a.inputs[2], y);
  const Shape shape = a.inputs[1].shape();
  const auto depth = static_cast<std::size_t>(shape[shape.rank() - 1]);
  const Longs strides = strides_of(y.shape());
  if (depth == 0 || depth > strides.size())
    outside("indices of " + std::to_string(depth) + " axes into " + y.shape().text());
  const std::int64_t run_length = strides[depth - 1];
  const Shape ys = y.shape();
  const std::size_t count = indices.size() / depth;
  const auto place = [&](std::size_t i) {
    std::int64_t to = 0;
    for (std::size_t k = 0; k < depth; ++k)
      to += within(indices.data()[i * depth + k], ys[static_cast<int>(k)]) * strides.data()[k];
    return to;
  };
  if (run_length != 1) {
    for (std::size_t i = 0; i < count; ++i) scatter(place(i), static_cast<std::int64_t>(i) * run_length, run_length);
    return;
  }
  std::array<std::int64_t, 256> places;
  for (std::size_t first = 0; first < count; first += places.size()) {
    const std::size_t here = std::min(places.size(), count - first);
    for (std::size_t i = 0; i < here; ++i) places[i] = place(first + i);
    scatter.elements(std::span(places).first(here), static_cast<std::int64_t>(first));
  }
}

// The copy, an index for each axis of each update, and the update.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  constexpr double kOfAnIndex = 5.0, kOfAnUpdate = 0.3;
  return serial_steps(types, kOfAnIndex * static_cast<double>(elements(types.inputs[1])) +
                                 kOfAnUpdate * static_cast<double>(elements(types.inputs[2])));
}

}  // namespace

extern const OpRecord scatternd_record;
const OpRecord scatternd_record = {
    .name = "ScatterND",
    .since_opset = 18,
    .help =
        "x with slices of `updates` put where the last axis of indices points; reduction none, add, mul, max or min.",
    .inputs = 3,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_places>,
};

}  // namespace skerry::ops
