#include "kernels/tensor/movement.hpp"
#include "ops/nn/quantized.hpp"

namespace skerry::ops {
namespace {

std::size_t parts(const Node& node) {
  if (node.inputs.size() < 5 || (node.inputs.size() - 2) % 3 != 0)
    refuse(node, "QLinearConcat has " + std::to_string(node.inputs.size()) +
                     " inputs; y_scale and y_zero are followed by three for each part");
  return (node.inputs.size() - 2) / 3;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  const std::size_t count = parts(node);
  require(context, 2, Bytes{});
  const DType dtype = input(context, 2).dtype;
  require_quant(context, 0, dtype);
  std::optional<Dims> out = input(context, 2).shape;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = 2 + 3 * i;
    require_same(context, 2, at);
    require_quant(context, at + 1, dtype);
    const auto& shape = input(context, at).shape;
    if (!out || !shape) {
      out.reset();
      continue;
    }
    if (shape->size() != out->size()) refuse(node, "parts of different rank");
    if (i == 0) continue;
    const std::size_t axis = normal_axis(node, node.integer("axis", 1), out->size());
    Dim& extent = (*out)[axis];
    extent = extent.is_known() && (*shape)[axis].is_known() ? Dim(extent.value + (*shape)[axis].value) : Dim();
    for (std::size_t k = 0; k < out->size(); ++k) {
      const Dim &a = (*out)[k], &b = (*shape)[k];
      if (k != axis && a.is_known() && b.is_known() && a.value != b.value) refuse(node, "parts of different extents");
    }
  }
  set_output(context, 0, dtype, std::move(out));
}

Cost can(const Node&, const NodeTypes& types) {
  return passes_i8(types, 6.0);
}

// Each part is converted in the scratch, then put in its place; one of the result's own scale is put there at once.
Prepared prepare(const Node& node, const NodeTypes& types) {
  std::uint64_t largest = 0;
  for (std::size_t at = 2; at < types.inputs.size(); at += 3) largest = std::max(largest, bytes(types.inputs[at]));
  const auto axis = normal_axis(node, node.integer("axis", 1), types.outputs[0].shape->size());
  return {[axis = static_cast<int>(axis), count = parts(node)](const KernelArguments& a) {
            const kernels::QuantI8 of_y = quant_of(a, 0);
            const bool is_signed = a.outputs[0].dtype() == DType::i8;
            std::int64_t position = 0;
            for (std::size_t i = 0; i < count; ++i) {
              TensorView x = a.inputs[2 + 3 * i];
              const kernels::QuantI8 of_x = quant_of(a, 3 + 3 * i);
              if (of_x.scale != of_y.scale || of_x.zero != of_y.zero) {
                const auto table = kernels::table_i8(of_x, of_y, is_signed, [](float value) { return value; });
                const MutableTensorView converted(x.dtype(), x.shape(), a.scratch.data());
                kernels::map_bytes(elements_of(x).data, x.elements(), table, bytes_of(converted));
                x = converted;
              }
              kernels::place(x, axis, position, a.outputs[0]);
              position += x.shape()[axis];
            }
          },
          largest};
}

constexpr KernelRow kKernels[] = {{"concat_i8", can, prepare}};

}  // namespace

extern const OpRecord qlinearconcat_record;
const OpRecord qlinearconcat_record = {
    .name = "com.microsoft.QLinearConcat",
    .since_opset = 1,
    .help =
        "Concat along `axis` of the real values, rounded to y_scale and y_zero. Inputs y_scale, y_zero, then x, "
        "x_scale, x_zero for each part; u8 or i8.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
