#include <numeric>
#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  TensorType item{x.dtype, x.shape};
  if (x.shape) {
    const std::size_t axis = normal_axis(context.node, context.node.integer("axis", 0), x.shape->size());
    const bool drops = !has_input(context.node, 1) && context.node.integer("keepdims", 1) == 0;
    if (drops) {
      item.shape->erase(item.shape->begin() + static_cast<std::ptrdiff_t>(axis));
    } else {
      (*item.shape)[axis] = has_input(context.node, 1) ? Dim() : Dim(1);
    }
  }
  set_type(context, 0, item.wrapped(Wrap::sequence));
}

// Pieces of one size, the last of them smaller, of these sizes, or single slices.
std::vector<std::int64_t> sizes_of(const DataNode& context, std::int64_t extent) {
  const Node& node = context.node;
  if (!has_input(node, 1)) return std::vector<std::int64_t>(static_cast<std::size_t>(extent), 1);
  const Tensor& split = tensor_in(context, 1);
  std::vector<std::int64_t> sizes = integers_of(node, split);
  if (split.shape().rank() > 0) return sizes;
  const std::int64_t piece = sizes.at(0);
  if (piece < 1) refuse(node, "pieces of " + std::to_string(piece));
  sizes.assign(static_cast<std::size_t>(extent / piece), piece);
  if (extent % piece != 0) sizes.push_back(extent % piece);
  return sizes;
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const Datum& x = datum_in(context, 0);
  const Shape shape = x.as<Strings>() != nullptr ? x.as<Strings>()->shape : tensor_in(context, 0).shape();
  const std::size_t axis = normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(shape.rank()));
  const std::int64_t extent = shape[static_cast<int>(axis)];
  if (extent > static_cast<std::int64_t>(kMaxItems))
    throw Error(ErrorCode::limit_exceeded, "a sequence of " + std::to_string(extent) + " items");
  const auto sizes = sizes_of(context, extent);
  if (sizes.empty()) return {Sequence()};
  Node split;
  split.op = "Split";
  split.name = node.name;
  split.set("axis", static_cast<std::int64_t>(axis));
  const Tensor pieces = Tensor::from<std::int64_t>(sizes, Shape{static_cast<std::int64_t>(sizes.size())});
  std::vector<Datum> items = run_operator(split, std::vector<Datum>{x, pieces}, sizes.size(), context.evaluation);
  if (has_input(node, 1) || node.integer("keepdims", 1) != 0) return {sequence_of(node, std::move(items))};
  Node squeeze;
  squeeze.op = "Squeeze";
  squeeze.name = node.name;
  const auto dropped = static_cast<std::int64_t>(axis);
  for (Datum& item : items) {
    const std::vector<Datum> inputs = {item, Tensor::from<std::int64_t>(std::span(&dropped, 1), Shape{1})};
    item = run_operator(squeeze, inputs, 1, context.evaluation)[0];
  }
  return {sequence_of(node, std::move(items))};
}

}  // namespace

extern const OpRecord splittosequence_record;
const OpRecord splittosequence_record = {
    .name = "SplitToSequence",
    .since_opset = 24,
    .help =
        "x cut along `axis` (default 0) into pieces of the size that the scalar `split` says, the last one smaller, or "
        "of those in a vector; without either into slices, which lose the axis with keepdims = 0.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
