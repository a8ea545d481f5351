#include "ops/nn/dense.hpp"
#include "ops/nn/quantized_product.hpp"

namespace skerry::ops {
namespace {

constexpr std::size_t kNone = 99, kBias = 6, kResidual = 7;
constexpr QuantizedProduct kAt = {.a = 0,
                                  .a_scale = 2,
                                  .a_zero = 4,
                                  .b = 1,
                                  .b_scale = 3,
                                  .b_zero = 5,
                                  .y_scale = kNone,
                                  .y_zero = kNone,
                                  .bias = kNone,
                                  .real_bias = kBias};

void infer(TypeContext& context) {
  using Scale = kernels::Types<float>;
  require(context, kAt.a_scale, Scale{});
  require(context, kAt.b_scale, Scale{});
  require_same(context, kAt.a, kAt.a_zero);
  require_same(context, kAt.b, kAt.b_zero);
  infer_quantized_product(context, kAt, DType::f32);
  if (const TensorType* bias = optional_input(context, kBias)) {
    require(context, kBias, Scale{});
    const auto& right = input(context, kAt.b).shape;
    const bool fits = !bias->shape || !right ||
                      (bias->shape->size() == 1 && right->size() > 1 &&
                       (!bias->shape->front().is_known() || !right->back().is_known() ||
                        bias->shape->front().value == right->back().value));
    if (!fits) refuse(context.node, "the bias is " + bias->text() + " but b " + input(context, kAt.b).text());
  }
  check_fused_end(context, kResidual);
}

constexpr KernelRow kKernels[] = {
    {"gemm_i8_packed", [](const Node& node, const NodeTypes& types) { return can_quantized_product(kAt, node, types); },
     [](const Node& node, const NodeTypes& types) {
       return finished(prepare_quantized_product(kAt, node, types), node, kResidual);
     }},
    {"gemm_i8_ref",
     [](const Node& node, const NodeTypes& types) { return can_quantized_product_ref(kAt, node, types); },
     [](const Node& node, const NodeTypes& types) {
       return finished(prepare_quantized_product_ref(kAt, node, types), node, kResidual);
     }},
};

}  // namespace

extern const OpRecord matmulintegertofloat_record;
const OpRecord matmulintegertofloat_record = {
    .name = "com.microsoft.MatMulIntegerToFloat",
    .since_opset = 1,
    .help =
        "MatMulInteger and what follows it in dynamic quantisation, as ONNX Runtime defines it: (a - a_zero)(b - "
        "b_zero) summed in i32, times a_scale b_scale, plus a bias for each column; f32. Inputs a, b, a_scale, "
        "b_scale, a_zero, b_zero, bias. Where a pass put them in, input 7 is added, the result is kept within least "
        "and most and goes through activation.",
    .inputs = 4,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
