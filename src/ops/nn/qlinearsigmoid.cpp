#include <cmath>

#include "ops/nn/quantized_map.hpp"

namespace skerry::ops {
namespace {

float sigmoid(float x, float) {
  return 1.0F / (1.0F + std::exp(-x));
}

constexpr KernelRow kKernels[] = {
    {"map_i8", can_quantized_map, [](const Node&, const NodeTypes&) { return prepare_quantized_map(sigmoid, 0.0F); }}};

}  // namespace

extern const OpRecord qlinearsigmoid_record;
const OpRecord qlinearsigmoid_record = {
    .name = "com.microsoft.QLinearSigmoid",
    .since_opset = 1,
    .help = "1 / (1 + exp(-x)) of the real values, rounded. Inputs x, x_scale, x_zero, y_scale, y_zero; u8 or i8.",
    .infer = infer_quantized_map,
    .kernels = kKernels,
};

}  // namespace skerry::ops
