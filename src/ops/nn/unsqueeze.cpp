#include <algorithm>

#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& type = input(context, 0);
  const auto constant = constant_integers(context, 1);
  const auto wanted = wanted_dims(context, 1);
  if (!type.shape || !wanted) return set_output(context, 0, type.dtype, std::nullopt);
  const std::size_t rank = type.shape->size() + wanted->size();
  if (!constant) return set_output(context, 0, type.dtype, Dims(rank));
  const auto axes = normal_axes(context.node, *constant, rank);
  Dims out;
  auto next = type.shape->begin();
  for (std::size_t axis = 0; axis < rank; ++axis)
    out.push_back(std::ranges::find(axes, axis) != axes.end() ? Dim(1) : *next++);
  set_output(context, 0, type.dtype, out);
  if (const Dims* dims = known_dims(context, 0); dims != nullptr && rank == 1) context.output_dims[0] = *dims;
}

}  // namespace

extern const OpRecord unsqueeze_record;
const OpRecord unsqueeze_record = {
    .name = "Unsqueeze",
    .since_opset = 25,
    .help =
        "x, any dtype, with axes of extent 1 put in at the places of the result that the i64 vector `axes` names; "
        "negative ones count from its end. No data moves.",
    .infer = infer,
    .upgrade = [](UpgradeContext& context) { integers_to_input(context, "axes", 1); },
    .is_view = true};

}  // namespace skerry::ops
