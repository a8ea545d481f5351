#include "ops/nn/quantized_product.hpp"

namespace skerry::ops {
namespace {

constexpr QuantizedProduct kAt = {
    .a = 0, .a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 6, .y_zero = 7, .bias = 8};

void infer(TypeContext& context) {
  require_quant(context, kAt.a_scale, input(context, kAt.a).dtype);
  require_quant(context, kAt.b_scale, input(context, kAt.b).dtype);
  require(context, kAt.y_zero, Bytes{});
  require_quant(context, kAt.y_scale, input(context, kAt.y_zero).dtype);
  infer_quantized_product(context, kAt, input(context, kAt.y_zero).dtype);
}

}  // namespace

extern const OpRecord qlinearmatmul_record;
const OpRecord qlinearmatmul_record = {
    .name = "QLinearMatMul",
    .since_opset = 21,
    .help =
        "MatMul of (a - a_zero) and (b - b_zero), summed exactly in i32, then y = saturate(round(a_scale b_scale / "
        "y_scale * sum) + y_zero), ties to even. Inputs a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; u8 "
        "or i8; scales and zero points: one, one per row of a, one per column of b. A ninth input, i32 per column, is "
        "a bias that a pass put in.",
    .infer = infer,
    .kernels = kQuantizedProductKernels<kAt>,
};

}  // namespace skerry::ops
