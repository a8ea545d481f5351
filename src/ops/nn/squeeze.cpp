#include <algorithm>

#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

bool surely_one(const Dim& dim) {
  return dim.is_known() && dim.value == 1;
}

// Nothing when it cannot be told yet which axes go.
std::optional<Dims> squeezed(const TypeContext& context) {
  const auto& shape = input(context, 0).shape;
  if (!shape) return std::nullopt;
  Dims out;
  if (!has_input(context.node, 1)) {
    for (const Dim& dim : *shape) {
      if (!dim.is_known()) return std::nullopt;
      if (!surely_one(dim)) out.push_back(dim);
    }
    return out;
  }
  const auto constant = constant_integers(context, 1);
  if (!constant) return std::nullopt;
  const auto axes = normal_axes(context.node, *constant, shape->size());
  for (std::size_t axis = 0; axis < shape->size(); ++axis) {
    const Dim& dim = (*shape)[axis];
    if (std::ranges::find(axes, axis) == axes.end()) {
      out.push_back(dim);
    } else if (dim.is_known() && dim.value != 1) {
      refuse(context.node, "axis " + std::to_string(axis) + " has " + std::to_string(dim.value) + " elements, not 1");
    }
  }
  return out;
}

void infer(TypeContext& context) {
  set_output(context, 0, input(context, 0).dtype, squeezed(context));
  if (const Dims* dims = known_dims(context, 0)) context.output_dims[0] = *dims;
}

}  // namespace

extern const OpRecord squeeze_record;
const OpRecord squeeze_record = {
    .name = "Squeeze",
    .since_opset = 25,
    .help =
        "x, any dtype, without the axes that the i64 vector `axes` names, each of extent 1; without `axes` all of "
        "extent 1 go. Negative axes count from the end. No data moves.",
    .infer = infer,
    .upgrade = [](UpgradeContext& context) { integers_to_input(context, "axes", 1); },
    .is_view = true};

}  // namespace skerry::ops
