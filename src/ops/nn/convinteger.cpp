#include "ops/nn/quantized_conv.hpp"

namespace skerry::ops {
namespace {

constexpr QuantizedConv kAt = {.x = 0,
                               .x_scale = kNoInput,
                               .x_zero = 2,
                               .w = 1,
                               .w_scale = kNoInput,
                               .w_zero = 3,
                               .y_scale = kNoInput,
                               .y_zero = kNoInput,
                               .bias = kNoInput};

void infer(TypeContext& context) {
  require(context, kAt.x, Bytes{});
  require(context, kAt.w, Bytes{});
  require_same(context, kAt.x, kAt.x_zero);
  require_same(context, kAt.w, kAt.w_zero);
  infer_conv(context, {kAt.x, kAt.w, kNoInput}, DType::i32);
  require_quant_sizes(kAt, context);
}

}  // namespace

extern const OpRecord convinteger_record;
const OpRecord convinteger_record = {
    .name = "ConvInteger",
    .since_opset = 10,
    .help =
        "Conv of (x - x_zero_point) with (w - w_zero_point), summed in i32. x and w: u8 or i8; zero points: of their "
        "tensor's dtype, w's one or one per output, 0 where left out. Padding counts as x_zero_point. Attributes of "
        "Conv.",
    .infer = infer,
    .kernels = kQuantizedConvKernels<kAt>,
};

}  // namespace skerry::ops
