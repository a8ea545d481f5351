#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

// Importers spell attribute `type` so: the dtype's number, and whether it stands in a sequence.
TensorType stated(const Node& node) {
  if (node.find("dtype") == nullptr) refuse(node, "Optional says neither a value nor its type");
  const TensorType item{dtype_attribute(node, "dtype", DType::f32), std::nullopt};
  return node.integer("sequence", 0) != 0 ? item.wrapped(Wrap::sequence) : item;
}

void infer(TypeContext& context) {
  const TensorType* item = optional_input(context, 0);
  if (item != nullptr && !item->is_tensor() && item->wraps.front() != Wrap::sequence)
    refuse(context.node, "Optional does not take " + item->text());
  set_type(context, 0, (item != nullptr ? *item : stated(context.node)).wrapped(Wrap::optional));
}

std::vector<Datum> carry_out(DataNode& context) {
  if (!has_input(context.node, 0)) return {skerry::Optional()};
  return {skerry::Optional{std::make_shared<const Datum>(context.inputs[0])}};
}

}  // namespace

extern const OpRecord optional_record;
const OpRecord optional_record = {.name = "Optional",
                                  .since_opset = 28,
                                  .help =
                                      "An optional that holds the input, a tensor or sequence; without one, an "
                                      "optional of the type in `type` that holds nothing.",
                                  .infer = infer,
                                  .carry_out = carry_out,
                                  .takes_wrapped = true};

}  // namespace skerry::ops
