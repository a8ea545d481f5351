#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/tensor/movement.hpp"
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
  const Shape ys = y.shape(), is = a.inputs[1].shape();
  if (is.elements() == 0) return;
  const auto axis = static_cast<int>(normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(ys.rank())));
  for (int i = 0; i < is.rank(); ++i)
    if (i != axis && is[i] > ys[i]) outside("indices " + is.text() + " reach past " + ys.text());
  Scatter scatter(node, a.inputs[2], y);
  const kernels::ElementPlaces places(ys, axis, a.inputs[1]);
  constexpr std::int64_t kMost = kernels::ElementPlaces::kMost;
  std::array<std::int64_t, kMost> at;
  for (std::int64_t row = 0; row < places.rows(); ++row) {
    for (std::int64_t first = 0; first < places.width(); first += kMost) {
      const std::int64_t last = std::min(first + kMost, places.width());
      places.of(row, first, last, at.data());
      scatter.elements(std::span(at).first(static_cast<std::size_t>(last - first)), row * places.width() + first);
    }
  }
}

// The copy, and a step for each update, which may be a miss.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  constexpr double kOfAnUpdate = 4.0;
  return serial_steps(types, kOfAnUpdate * static_cast<double>(elements(types.inputs[1])));
}
std::uint64_t no_bytes(const NodeTypes&) {
  return 0;
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
    .kernels = kReference<run, can, no_bytes>,
};

}  // namespace skerry::ops
