#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

bool makes_axis(const Node& node) {
  return node.integer("new_axis", 0) != 0;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  const TensorType item = inside(context, 0, Wrap::sequence);
  if (node.find("axis") == nullptr) refuse(node, "ConcatFromSequence needs an axis");
  std::optional<Dims> shape = item.shape;
  if (shape) {
    const std::size_t axis = normal_axis(node, node.integer("axis", 0), shape->size() + (makes_axis(node) ? 1 : 0));
    const auto at = shape->begin() + static_cast<std::ptrdiff_t>(axis);
    if (makes_axis(node)) {
      shape->insert(at, Dim());
    } else {
      *at = Dim();
    }
  }
  set_output(context, 0, item.dtype, std::move(shape));
}

Datum with_axis(const DataNode& context, const Datum& item) {
  Node unsqueeze;
  unsqueeze.op = "Unsqueeze";
  unsqueeze.name = context.node.name;
  const std::int64_t axis = context.node.integer("axis", 0);
  const std::vector<Datum> inputs = {item, Tensor::from<std::int64_t>(std::span(&axis, 1), Shape{1})};
  return run_operator(unsqueeze, inputs, 1, context.evaluation)[0];
}

std::vector<Datum> carry_out(DataNode& context) {
  std::vector<Datum> items = take_items(context);
  if (items.empty()) refuse(context.node, "a sequence without items cannot be put together");
  if (makes_axis(context.node)) {
    for (Datum& item : items) item = with_axis(context, item);
  }
  Node concat;
  concat.op = "Concat";
  concat.name = context.node.name;
  concat.set("axis", context.node.integer("axis", 0));
  return run_operator(concat, items, 1, context.evaluation);
}

}  // namespace

extern const OpRecord concatfromsequence_record;
const OpRecord concatfromsequence_record = {
    .name = "ConcatFromSequence",
    .since_opset = 11,
    .help = "The items one after the other along `axis`, or along a new axis there with new_axis = 1.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true};

}  // namespace skerry::ops
