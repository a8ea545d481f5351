#include "ops/nn/quantized_map.hpp"

namespace skerry::ops {
namespace {

float leaky_relu(float x, float slope) {
  return x >= 0.0F ? x : slope * x;
}

constexpr KernelRow kKernels[] = {{"map_i8", can_quantized_map, [](const Node& node, const NodeTypes&) {
                                     return prepare_quantized_map(leaky_relu,
                                                                  static_cast<float>(node.real("alpha", 0.01)));
                                   }}};

}  // namespace

extern const OpRecord qlinearleakyrelu_record;
const OpRecord qlinearleakyrelu_record = {
    .name = "com.microsoft.QLinearLeakyRelu",
    .since_opset = 1,
    .help =
        "x, or alpha x (default 0.01) below 0, of the real values, rounded. Inputs x, x_scale, x_zero, y_scale, "
        "y_zero; u8 or i8.",
    .infer = infer_quantized_map,
    .kernels = kKernels,
};

}  // namespace skerry::ops
