#include "ops/nn/channels_last.hpp"
#include "ops/nn/quantized_conv.hpp"

namespace skerry::ops {
namespace {

constexpr QuantizedConv kAt = {.x = 0,
                               .x_scale = 1,
                               .x_zero = 2,
                               .w = 3,
                               .w_scale = 4,
                               .w_zero = 5,
                               .y_scale = 6,
                               .y_zero = 7,
                               .bias = 8,
                               .residual = 9};

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
  require_quant_sizes(kAt, context);
}
// Only the convolution with channels last adds one.
void check_residual(const TypeContext& context) {
  const Node& node = context.node;
  const TensorType &residual = input(context, kAt.residual), &y = context.outputs[0];
  if (!channels_last(node) || node.integer("group", 1) != 1)
    refuse(node, "a residual is added with channels last and one group alone", "leave the sum a node of its own");
  if (residual.dtype != y.dtype ||
      (residual.static_shape() && y.static_shape() && *residual.static_shape() != *y.static_shape()))
    refuse(node, "the residual is " + residual.text() + " but the result " + y.text());
  require_quant(context, kAt.residual + 1, y.dtype);
  require_quant(context, kAt.residual + 3, y.dtype);
}

void infer(TypeContext& context) {
  infer_either(context, infer_planes);
  if (has_input(context.node, kAt.residual)) check_residual(context);
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
        "channels_last x and y are [N, space, C], with planes_in only y. Where a pass put a sum in, inputs residual, "
        "residual_scale, residual_zero, sum_scale, sum_zero: QLinearAdd of the quantised result and the residual, in "
        "this order unless residual_left.",
    .infer = infer,
    .kernels = kQuantizedConvKernels<kAt>,
};

}  // namespace skerry::ops
