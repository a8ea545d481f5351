#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const auto dims = context.node.integers("shape");
  Shape shape;
  try {
    shape = Shape(dims);
  } catch (const Error& error) {
    refuse(context.node, error.message());
  }
  if (static_cast<std::size_t>(shape.elements()) != text_list(context.node, "texts").size())
    refuse(context.node, "texts and shape do not fit together");
  const TensorType type = TensorType::of(DType::string, shape);
  set_output(context, 0, type.dtype, type.shape);
}

std::vector<Datum> carry_out(DataNode& context) {
  return {strings_of(context.node, *context.outputs[0].static_shape(), text_list(context.node, "texts"),
                     context.evaluation)};
}

}  // namespace

// What importers make of tensors of strings: the graph's own constants are numbers.
extern const OpRecord strings_record;
const OpRecord strings_record = {.name = "skerry.Strings",
                                 .since_opset = 1,
                                 .help = "The strings in attribute `texts`, of the shape in `shape`.",
                                 .infer = infer,
                                 .carry_out = carry_out};

}  // namespace skerry::ops
