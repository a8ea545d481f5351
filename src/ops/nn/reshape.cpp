#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

constexpr std::ptrdiff_t kNowhere = -1;

// The wanted extents with 0 replaced by the input's own; `open` becomes the place that the others determine: a -1, or a
// lone extent of which nothing is known.
Dims resolve(const TypeContext& context, Dims wanted, std::ptrdiff_t& open) {
  const Node& node = context.node;
  const auto& from = input(context, 0).shape;
  const bool keeps_zero = node.integer("allowzero", 0) != 0;
  const auto constant = constant_integers(context, 1);
  std::size_t unknowns = 0;
  for (std::size_t axis = 0; axis < wanted.size(); ++axis) {
    if (constant && (*constant)[axis] < -1)
      refuse(node, "extent " + std::to_string((*constant)[axis]) + " on axis " + std::to_string(axis));
    if (!wanted[axis].is_known() && wanted[axis].symbol.empty()) {
      if (constant && unknowns > 0) refuse(node, "more than one extent is -1");
      open = static_cast<std::ptrdiff_t>(axis);
      ++unknowns;
    } else if (wanted[axis].is_known() && wanted[axis].value == 0 && !keeps_zero) {
      if (from && axis >= from->size())
        refuse(node, "extent 0 on axis " + std::to_string(axis) + " of an input that has no such axis");
      wanted[axis] = from ? (*from)[axis] : Dim();
    }
  }
  if (unknowns != 1) open = kNowhere;
  return wanted;
}

void infer(TypeContext& context) {
  const TensorType& from = input(context, 0);
  const auto wanted = wanted_dims(context, 1);
  if (!wanted) return set_output(context, 0, from.dtype, std::nullopt);
  std::ptrdiff_t open = kNowhere;
  Dims shape = resolve(context, *wanted, open);
  if (from.shape) {
    Dims rest = shape;
    if (open != kNowhere) rest.erase(rest.begin() + open);
    const auto missing = quotient(*from.shape, rest);
    const bool whole = product(rest, 0, rest.size()) == Dim(0) && open == kNowhere &&
                       product(*from.shape, 0, from.shape->size()) == Dim(0);
    if ((!missing && !whole) || (open == kNowhere && missing && missing->is_known() && missing->value != 1)) {
      refuse(context.node, from.text() + " does not have as many elements as " + TensorType{from.dtype, shape}.text());
    }
    if (open != kNowhere) shape[static_cast<std::size_t>(open)] = *missing;
  }
  set_output(context, 0, from.dtype, shape);
  // A scalar and a vector of one element are the same data.
  if (const Dims* dims = known_dims(context, 0); dims != nullptr && shape.size() <= 1) context.output_dims[0] = *dims;
}

void upgrade(UpgradeContext& context) {
  integers_to_input(context, "shape", 1);
  context.node.erase("consumed_inputs");
}

}  // namespace

extern const OpRecord reshape_record;
const OpRecord reshape_record = {
    .name = "Reshape",
    .since_opset = 25,
    .help =
        "The elements of x, any dtype, under the extents that the i64 vector `shape` holds. One of them may be -1: "
        "what is left over. 0 means the extent of x at the same place, or 0 itself with allowzero = 1. No data "
        "moves; both shapes have equally many elements.",
    .infer = infer,
    .upgrade = upgrade,
    .is_view = true};

}  // namespace skerry::ops
