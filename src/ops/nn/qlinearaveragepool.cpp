#include <algorithm>
#include <cmath>

#include "kernels/tensor/pool.hpp"
#include "ops/nn/quantized.hpp"
#include "ops/nn/sliding.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, Bytes{});
  const DType dtype = input(context, 0).dtype;
  require_quant(context, 1, dtype);
  require_quant(context, 3, dtype);
  infer_pool(context);
}

Cost can(const Node& node, const NodeTypes& types) {
  if (node.integer("channels_last", 0) != 0) return Unexpected{"channels stand last"};
  const auto window = pool_window(node, types);
  return scalar_steps(types,
                      static_cast<double>(pool_planes(node, types)) * static_cast<double>(window.outputs() * window.taps()));
}

// The zero point is added before rounding, as ONNX Runtime does here.
void round_means(std::span<const float> means, kernels::QuantI8 to, bool is_signed, std::uint8_t* y) {
  const float low = is_signed ? -128.0F : 0.0F, high = is_signed ? 127.0F : 255.0F;
  for (std::size_t i = 0; i < means.size(); ++i) {
    const float value = means[i] / to.scale + static_cast<float>(to.zero);
    y[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(std::clamp(value, low, high))));
  }
}

// The mean is taken in f32, as ONNX Runtime does.
Prepared prepare(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  const std::uint64_t real_bytes = (tensor_bytes(DType::f32, x) + 63) / 64 * 64;
  return {[x, y, real_bytes, window = pool_window(node, types), planes = pool_planes(node, types),
           padding = node.integer("count_include_pad", 0) != 0](const KernelArguments& a) {
            const MutableTensorView in(DType::f32, x, a.scratch.data()),
                out(DType::f32, y, a.scratch.data() + real_bytes);
            kernels::dequantize_run(elements_of(a.inputs[0]), x.elements(), quant_of(a, 1), in.as<float>().data());
            kernels::average_pool_ref(window, planes, padding, in, out);
            round_means(out.as<float>(), quant_of(a, 3), a.outputs[0].dtype() == DType::i8, bytes_of(a.outputs[0]));
          },
          real_bytes + tensor_bytes(DType::f32, y)};
}

constexpr KernelRow kKernels[] = {{"average_pool_i8", can, prepare}};

}  // namespace

extern const OpRecord qlinearaveragepool_record;
const OpRecord qlinearaveragepool_record = {
    .name = "com.microsoft.QLinearAveragePool",
    .since_opset = 1,
    .help =
        "AveragePool of the real values, rounded. Inputs x, x_scale, x_zero, y_scale, y_zero; u8 or i8; attributes "
        "of AveragePool.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
