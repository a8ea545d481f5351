#include "ops/nn/quantized.hpp"

namespace skerry::ops {
namespace {

struct Rows {
  std::int64_t count, length, inner;
};

// Before opset 13, which the attribute `opset` tells, all axes from `axis` on count as one.
Rows rows_of(const Node& node, const Shape& shape) {
  const auto rank = static_cast<std::size_t>(shape.rank());
  const bool together = node.integer("opset", 13) < 13;
  const std::size_t axis = rank == 0 ? 0 : normal_axis(node, node.integer("axis", together ? 1 : -1), rank);
  Rows out{1, 1, 1};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t extent = shape[static_cast<int>(i)];
    (i < axis ? out.count : i == axis || together ? out.length : out.inner) *= extent;
  }
  return out;
}

void infer(TypeContext& context) {
  require(context, 0, Bytes{});
  const DType dtype = input(context, 0).dtype;
  require_quant(context, 1, dtype);
  require_quant(context, 3, dtype);
  same_as_input(context);
}

Cost can(const Node& node, const NodeTypes& types) {
  if (rows_of(node, *types.inputs[0].static_shape()).inner != 1) return Unexpected{"the axis is not the last one"};
  return element_steps(types, 4.0);
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  return {[rows = rows_of(node, *types.inputs[0].static_shape())](const KernelArguments& a) {
    kernels::quantized_softmax(elements_of(a.inputs[0]), quant_of(a, 1).scale, rows.count, rows.length, quant_of(a, 3),
                               bytes_of(a.outputs[0]));
  }};
}

constexpr KernelRow kKernels[] = {{"softmax_i8", can, prepare}};

}  // namespace

extern const OpRecord qlinearsoftmax_record;
const OpRecord qlinearsoftmax_record = {
    .name = "com.microsoft.QLinearSoftmax",
    .since_opset = 1,
    .help =
        "Softmax along `axis`, the last one, of the real values, rounded. Inputs x, x_scale, x_zero, y_scale, "
        "y_zero; u8 or i8. Exponentials come from a table, so the result may be one step from Softmax's own.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
