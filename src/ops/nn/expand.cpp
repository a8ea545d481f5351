#include <algorithm>

#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  const auto wanted = wanted_dims(context, 1);
  if (const auto values = constant_integers(context, 1)) {
    for (const std::int64_t extent : *values) {
      if (extent < 0) refuse(context.node, "an extent of " + std::to_string(extent));
    }
  }
  set_output(context, 0, x.dtype, broadcast(context.node, x.shape, wanted));
}

// Neighbours that come from one element, or from neighbours: what is copied or filled at once.
double run_length(const Shape& from, const Shape& to) {
  const int lead = to.rank() - from.rank();
  const auto repeats = [&](int axis) { return axis < lead || from[axis - lead] != to[axis]; };
  double run = 1.0;
  std::optional<bool> kind;
  for (int axis = to.rank() - 1; axis >= 0; --axis) {
    if (to[axis] == 1) continue;
    if (kind && *kind != repeats(axis)) break;
    kind = repeats(axis);
    run *= static_cast<double>(to[axis]);
  }
  return run;
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  const double run = run_length(*types.inputs[0].static_shape(), *types.outputs[0].static_shape());
  return row_copies(types, static_cast<double>(elements(types.outputs[0])) / std::max(run, 1.0));
}

constexpr KernelRow kKernels[] = {
    {"expand", can,
     [](const Node&, const NodeTypes&) {
       return Prepared{[](const KernelArguments& a) { kernels::expand(a.inputs[0], a.outputs[0]); }};
     }},
};

}  // namespace

extern const OpRecord expand_record;
const OpRecord expand_record = {
    .name = "Expand",
    .since_opset = 13,
    .help =
        "x, stretched to the NumPy broadcast of its shape and the one in the i64 vector `shape`. Any dtype of whole "
        "bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
