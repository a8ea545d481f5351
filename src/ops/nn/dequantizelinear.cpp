#include "kernels/tensor/small_types.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/quantization.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using Dequantized = kernels::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t>;

void infer(TypeContext& context) {
  require(context, 1, kernels::Reals{});
  require_same(context, 0, 2);
  check_scales(context);
  set_output(context, 0, input(context, 1).dtype, input(context, 0).shape);
}

Cost can(const Node& node, const NodeTypes& types) {
  const DType q = types.inputs[0].dtype;
  if (!Dequantized::contains(q) && !kernels::is_small(q)) return no_kernel(q);
  // To f32 there are vectors; blocks are short runs.
  const bool vectors = is_f32(types, 1) && Dequantized::contains(q);
  const double of_a_block = node.integer("block_size", 0) != 0 ? 0.7 : 0.0;
  return element_steps(types, !vectors ? 8.0 : of_a_block + (dtype_bits(q) == 8 ? 0.03 : 0.12));
}

constexpr KernelRow kKernels[] = {{"dequantize_ref", can, [](const Node& node, const NodeTypes& types) {
                                     return Prepared{[layout = scale_layout(node, types)](const KernelArguments& a) {
                                       kernels::dequantize(a.inputs[0], a.inputs[1],
                                                           a.inputs.size() > 2 ? a.inputs[2] : TensorView(), layout,
                                                           a.outputs[0]);
                                     }};
                                   }}};

}  // namespace

extern const OpRecord dequantizelinear_record;
const OpRecord dequantizelinear_record = {
    .name = "DequantizeLinear",
    .since_opset = 28,
    .help =
        "(q - zero_point) * scale. scale and zero_point: one number, a vector along `axis` (default 1), or one per "
        "block of "
        "`block_size` elements along it. The result has the scale's dtype. q: i4, u4, i8, u8, i16, u16, i32, 8-bit "
        "floats.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
