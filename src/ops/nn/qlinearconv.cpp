#include "ops/nn/channels_last.hpp"
#include "ops/nn/quantized_conv.hpp"

namespace skerry::ops {
namespace {

constexpr QuantizedConv kAt = {
    .x = 0, .x_scale = 1, .x_zero = 2, .w = 3, .w_scale = 4, .w_zero = 5, .y_scale = 6, .y_zero = 7, .bias = 8};

void infer_planes(TypeContext& context) {
  require(context, kAt.x, Bytes{});
  require(context, kAt.w, Bytes{});
  require_quant(context, kAt.x_scale, input(context, kAt.x).dtype);
  require_quant(context, kAt.w_scale, input(context, kAt.w).dtype);
  require(context, kAt.y_scale, kernels::Reals{});
  const TensorType* zero = optional_input(context, kAt.y_zero);
  if (zero != nullptr) require(context, kAt.y_zero, Bytes{});
  if (optional_input(context, kAt.bias) != nullptr) require(context, kAt.bias, kernels::Types<std::int32_t>{});
  infer_conv(context, {kAt.x, kAt.w, kAt.bias}, zero == nullptr ? DType::u8 : zero->dtype);
}
void infer(TypeContext& context) {
  infer_either(context, infer_planes);
}

}  // namespace

extern const OpRecord qlinearconv_record;
const OpRecord qlinearconv_record = {
    .name = "QLinearConv",
    .since_opset = 10,
    .help =
        "Conv of (x - x_zero) with (w - w_zero) plus bias, summed exactly in i32, then y = saturate(round(x_scale "
        "w_scale / y_scale * sum) + y_zero), ties to even. Inputs x, x_scale, x_zero, w, w_scale, w_zero, y_scale, "
        "y_zero, bias (i32, optional); u8 or i8; scale and zero point of w: one or one per output. Padding counts as "
        "x_zero. Attributes of Conv; low and high, where a pass put an activation in, bound the quantised result; with "
        "channels_last x and y are [N, "
        "space, C], with planes_in only y.",
    .infer = infer,
    .kernels = kQuantizedConvKernels<kAt>,
};

}  // namespace skerry::ops
