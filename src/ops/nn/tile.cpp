#include <algorithm>

#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

Dim times(const Dim& extent, const Dim& repeats) {
  return product({extent, repeats}, 0, 2);
}

// Before opset 6 there are a number of repetitions and an axis, two scalars.
bool is_first_form(const Node& node) {
  return has_input(node, 2);
}

std::optional<Dims> repeats_of(const TypeContext& context, std::size_t rank) {
  if (!is_first_form(context.node)) return wanted_dims(context, 1);
  const auto count = wanted_dims(context, 1);
  const auto axis = constant_integers(context, 2);
  if (!count || count->size() != 1 || !axis || axis->size() != 1) return std::nullopt;
  Dims repeats(rank, Dim(1));
  repeats[normal_axis(context.node, axis->front(), rank)] = count->front();
  return repeats;
}

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  if (!x.shape) return set_output(context, 0, x.dtype, std::nullopt);
  if (const auto values = constant_integers(context, 1)) {
    for (const std::int64_t repeats : *values) {
      if (repeats < 0) refuse(context.node, "repeated " + std::to_string(repeats) + " times");
    }
  }
  Dims shape(x.shape->size());
  if (const auto repeats = repeats_of(context, shape.size())) {
    if (repeats->size() != shape.size()) {
      refuse(context.node,
             std::to_string(repeats->size()) + " numbers of repetitions for " + std::to_string(shape.size()) + " axes");
    }
    for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = times((*x.shape)[axis], (*repeats)[axis]);
  }
  set_output(context, 0, x.dtype, shape);
}

// The input's rows behind the last axis that is repeated, that axis included, are copied at once.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  const auto from = *types.inputs[0].static_shape();
  const auto to = *types.outputs[0].static_shape();
  double run = 1.0;
  for (int axis = from.rank() - 1; axis >= 0; --axis) {
    run *= static_cast<double>(from[axis]);
    if (from[axis] != to[axis]) break;
  }
  return row_copies(types, static_cast<double>(to.elements()) / std::max(run, 1.0));
}

constexpr KernelRow kKernels[] = {
    {"tile", can,
     [](const Node&, const NodeTypes&) {
       return Prepared{[](const KernelArguments& a) { kernels::tile(a.inputs[0], a.outputs[0]); }};
     }},
};

}  // namespace

extern const OpRecord tile_record;
const OpRecord tile_record = {
    .name = "Tile",
    .since_opset = 13,
    .help =
        "x, repeated along each axis as often as the i64 vector `repeats` says, one number per axis. Any dtype of "
        "whole bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
