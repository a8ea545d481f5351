#include "ops/nn/quantized_pair.hpp"

namespace skerry::ops {

extern const OpRecord qlinearmul_record;
const OpRecord qlinearmul_record = {
    .name = "com.microsoft.QLinearMul",
    .since_opset = 1,
    .help =
        "a b of the real values under broadcasting, rounded, ties to even. Inputs a, a_scale, a_zero, b, b_scale, "
        "b_zero, y_scale, y_zero; u8 or i8, one number each.",
    .infer = infer_quantized_pair,
    .kernels = kQuantizedPairKernels<kernels::quantized_mul>,
};

}  // namespace skerry::ops
