#include <algorithm>
#include <cmath>
#include <memory>

#include "base/lines.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/pool.hpp"
#include "ops/nn/channels_last.hpp"
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

Cost can_ref(const Node& node, const NodeTypes& types) {
  const auto window = pool_window(node, types);
  constexpr double kOfATap = 5.0;
  return scalar_steps(types, kOfATap * static_cast<double>(pool_planes(node, types)) *
                                 static_cast<double>(window.outputs() * window.taps()));
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
Prepared prepare_ref(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  const std::uint64_t real_bytes = base::whole_lines(tensor_bytes(DType::f32, x));
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

Cost can_last(const Node& node, const NodeTypes& types) {
  if (!channels_last(node)) return Unexpected{"channels stand first"};
  const auto window = pool_window(node, types);
  if (window.input[0] != 1 || window.kernel[0] != 1) return Unexpected{"three spatial axes"};
  return slide(types, window, pool_planes(node, types));
}

Prepared prepare_last(const Node& node, const NodeTypes& types) {
  const Shape x = planes_first(node, *types.inputs[0].static_shape());
  const std::int64_t elements_in = x.elements(), elements_out = types.outputs[0].static_shape()->elements();
  const std::uint64_t real_bytes = base::whole_lines(tensor_bytes(DType::f32, x));
  // shared: std::function copies its target
  const auto pool = std::make_shared<kernels::PixelWindowF32>(pool_window(node, types), x[0], x[1]);
  pool->begin_with(0.0F);
  return {[=, padding = node.integer("count_include_pad", 0) != 0](const KernelArguments& a) {
            auto* in = reinterpret_cast<float*>(a.scratch.data());
            auto* out = reinterpret_cast<float*>(a.scratch.data() + real_bytes);
            kernels::dequantize_run(elements_of(a.inputs[0]), elements_in, quant_of(a, 1), in);
            pool->average(padding, in, out);
            round_means({out, static_cast<std::size_t>(elements_out)}, quant_of(a, 3),
                        a.outputs[0].dtype() == DType::i8, bytes_of(a.outputs[0]));
          },
          real_bytes + static_cast<std::uint64_t>(elements_out) * sizeof(float), pool->packed_bytes()};
}

constexpr KernelRow kKernels[] = {{"average_pool_i8_pixels", can_last, prepare_last},
                                  {"average_pool_i8", planes_only<can_ref>, prepare_ref}};

}  // namespace

extern const OpRecord qlinearaveragepool_record;
const OpRecord qlinearaveragepool_record = {
    .name = "com.microsoft.QLinearAveragePool",
    .since_opset = 1,
    .help =
        "AveragePool of the real values, rounded. Inputs x, x_scale, x_zero, y_scale, y_zero; u8 or i8; attributes "
        "of AveragePool. With channels_last x and y are [N, space, C].",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
