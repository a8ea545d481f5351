#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& type = input(context, 0);
  if (!type.shape) return set_output(context, 0, type.dtype, Dims(2));
  const Dims& dims = *type.shape;
  const std::int64_t axis = context.node.integer("axis", 1);
  // The axis may stand behind the last one: all of x becomes one row per element of nothing.
  const bool behind = axis == static_cast<std::int64_t>(dims.size());
  const std::size_t at = behind ? dims.size() : normal_axis(context.node, axis, dims.size());
  set_output(context, 0, type.dtype, Dims{product(dims, 0, at), product(dims, at, dims.size())});
}

}  // namespace

extern const OpRecord flatten_record;
const OpRecord flatten_record = {
    .name = "Flatten",
    .since_opset = 25,
    .help =
        "The elements of x, any dtype, as a matrix: axes before `axis` (default 1) make the rows, the others the "
        "columns. axis is in [-rank, rank]. No data moves.",
    .infer = infer,
    .is_view = true};

}  // namespace skerry::ops
