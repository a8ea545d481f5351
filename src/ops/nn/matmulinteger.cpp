#include "ops/nn/quantized_product.hpp"

namespace skerry::ops {
namespace {

constexpr std::size_t kNone = 99;
constexpr QuantizedProduct kAt = {.a = 0,
                                  .a_scale = kNone,
                                  .a_zero = 2,
                                  .b = 1,
                                  .b_scale = kNone,
                                  .b_zero = 3,
                                  .y_scale = kNone,
                                  .y_zero = kNone,
                                  .bias = kNone};

void infer(TypeContext& context) {
  require_same(context, kAt.a, kAt.a_zero);
  require_same(context, kAt.b, kAt.b_zero);
  infer_quantized_product(context, kAt, DType::i32);
}

}  // namespace

extern const OpRecord matmulinteger_record;
const OpRecord matmulinteger_record = {
    .name = "MatMulInteger",
    .since_opset = 10,
    .help =
        "MatMul of (a - a_zero_point) and (b - b_zero_point), summed in i32. a and b: u8 or i8; zero points, 0 where "
        "left out: one, one per row of a, one per column of b.",
    .infer = infer,
    .kernels = kQuantizedProductKernels<kAt>,
};

}  // namespace skerry::ops
