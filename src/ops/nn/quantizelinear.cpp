#include <skerry/error.hpp>

#include "kernels/tensor/small_types.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/quantization.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using Quantized = kernels::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>;

// ONNX's number of a dtype.
DType dtype_of_number(const Node& node, std::int64_t number) {
#define SKERRY_DTYPE(name, bits, onnx) \
  if (number == (onnx)) return DType::name;
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  refuse(node, "output_dtype is " + std::to_string(number) + ", no known type");
}

DType quantized_type(const TypeContext& context) {
  if (const TensorType* zero = optional_input(context, 2)) return zero->dtype;
  const std::int64_t number = context.node.integer("output_dtype", 0);
  return number == 0 ? DType::u8 : dtype_of_number(context.node, number);
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require(context, 1, kernels::Reals{});
  check_scales(context);
  set_output(context, 0, quantized_type(context), input(context, 0).shape);
}

Cost can(const Node&, const NodeTypes& types) {
  if (!Quantized::contains(types.outputs[0].dtype) && !kernels::is_small(types.outputs[0].dtype))
    return no_kernel(types.outputs[0].dtype);
  // From f32 there are vectors.
  const int bits = dtype_bits(types.outputs[0].dtype);
  const bool vectors = is_f32(types) && is_f32(types, 1) && Quantized::contains(types.outputs[0].dtype);
  return element_steps(types, !vectors ? 12.0 : bits == 8 ? 0.08 : 0.4);
}

constexpr KernelRow kKernels[] = {
    {"quantize_ref", can, [](const Node& node, const NodeTypes& types) {
       return Prepared{
           [layout = scale_layout(node, types), saturate = node.integer("saturate", 1) != 0](const KernelArguments& a) {
             kernels::quantize(a.inputs[0], a.inputs[1], a.inputs.size() > 2 ? a.inputs[2] : TensorView(), layout,
                               a.outputs[0], saturate);
           }};
     }}};

}  // namespace

extern const OpRecord quantizelinear_record;
const OpRecord quantizelinear_record = {
    .name = "QuantizeLinear",
    .since_opset = 28,
    .help =
        "saturate(round(x / scale) + zero_point), rounding ties to even. scale and zero_point: one number, a vector "
        "along "
        "`axis` (default 1), or one per block of `block_size` elements along it. The result has the zero point's "
        "dtype, else "
        "`output_dtype`, else u8: i4, u4, i8, u8, i16, u16, or an 8-bit float, which takes the quotient unrounded.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
