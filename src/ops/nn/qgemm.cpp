#include "ops/nn/quantized_product.hpp"

namespace skerry::ops {
namespace {

constexpr QuantizedProduct kAt = {
    .a = 0, .a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 7, .y_zero = 8, .bias = 6};

void infer(TypeContext& context) {
  require(context, kAt.a, Bytes{});
  require(context, kAt.b, Bytes{});
  require_quant(context, kAt.a_scale, input(context, kAt.a).dtype);
  require_quant(context, kAt.b_scale, input(context, kAt.b).dtype);
  if (optional_input(context, kAt.bias) != nullptr) require(context, kAt.bias, kernels::Types<std::int32_t>{});
  const TensorType* zero = optional_input(context, kAt.y_zero);
  const DType result = zero != nullptr                                   ? zero->dtype
                       : optional_input(context, kAt.y_scale) != nullptr ? DType::u8
                                                                         : DType::f32;
  const bool known = require_rank(context, kAt.a, 2, 2) & require_rank(context, kAt.b, 2, 2);
  if (!known) return set_output(context, 0, result, Dims(2));
  const Node& node = context.node;
  const Dims &a = *input(context, kAt.a).shape, &b = *input(context, kAt.b).shape;
  const std::size_t trans_a = node.integer("transA", 0) != 0 ? 1 : 0, trans_b = node.integer("transB", 0) != 0 ? 1 : 0;
  const Dim &left = a[1 - trans_a], &right = b[trans_b];
  if (left.is_known() && right.is_known() && left.value != right.value)
    refuse(node, "depths " + std::to_string(left.value) + " and " + std::to_string(right.value) + " differ");
  set_output(context, 0, result, Dims{a[trans_a], b[1 - trans_b]});
}

}  // namespace

extern const OpRecord qgemm_record;
const OpRecord qgemm_record = {
    .name = "com.microsoft.QGemm",
    .since_opset = 1,
    .help =
        "Gemm of quantised matrices as ONNX Runtime defines it: alpha (a - a_zero)(b - b_zero) plus bias, an i32 of "
        "scale alpha a_scale b_scale; rounded to y_scale and y_zero, or f32 where those are left out. Inputs a, "
        "a_scale, a_zero, b, b_scale, b_zero, bias, y_scale, y_zero; transA, transB, alpha.",
    .infer = infer,
    .kernels = kQuantizedProductKernels<kAt>,
};

}  // namespace skerry::ops
