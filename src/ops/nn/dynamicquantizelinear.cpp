#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "kernels/tensor/reduce.hpp"
#include "ops/nn/quantized.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Types<float>{});
  set_output(context, 0, DType::u8, input(context, 0).shape);
  set_output(context, 1, DType::f32, Dims{});
  set_output(context, 2, DType::u8, Dims{});
}

Cost can(const Node&, const NodeTypes& types) {
  auto work = passes_i8(types, 2.0);
  work.push_back({kernels::Rate::stream_cached, 4.0 * static_cast<double>(elements(types.inputs[0]))});
  return work;
}

// The range of x and 0 is spread over 0 to 255, so that 0 is met exactly.
kernels::QuantI8 range_of(const TensorView& x) {
  float low = 0.0F, high = 0.0F;
  if (x.elements() > 0) {
    kernels::reduce_f32(kernels::Reduction::min, x.as<float>().data(), 1, x.elements(), 1, &low);
    kernels::reduce_f32(kernels::Reduction::max, x.as<float>().data(), 1, x.elements(), 1, &high);
  }
  low = std::min(low, 0.0F);
  high = std::max(high, 0.0F);
  const float scale = low == high ? 1.0F : (high - low) / 255.0F;
  const float zero = std::nearbyint(std::clamp(0.0F - low / scale, 0.0F, 255.0F));
  return {scale, static_cast<std::int32_t>(zero)};
}

constexpr KernelRow kKernels[] = {{"dynamic_quantize", can, [](const Node&, const NodeTypes&) -> Prepared {
                                     return {[](const KernelArguments& a) {
                                       const kernels::QuantI8 to = range_of(a.inputs[0]);
                                       const float* x = a.inputs[0].as<float>().data();
                                       const auto count = static_cast<std::size_t>(a.inputs[0].elements());
                                       base::parallel_for(0, count, 32'768, [&](std::size_t begin, std::size_t end) {
                                         kernels::quantize_run(x + begin, static_cast<std::int64_t>(end - begin), to,
                                                               false, bytes_of(a.outputs[0]) + begin);
                                       });
                                       if (a.outputs.size() > 1 && !a.outputs[1].empty())
                                         a.outputs[1].as<float>()[0] = to.scale;
                                       if (a.outputs.size() > 2 && !a.outputs[2].empty())
                                         bytes_of(a.outputs[2])[0] = static_cast<std::uint8_t>(to.zero);
                                     }};
                                   }}};

}  // namespace

extern const OpRecord dynamicquantizelinear_record;
const OpRecord dynamicquantizelinear_record = {
    .name = "DynamicQuantizeLinear",
    .since_opset = 11,
    .help =
        "Quantises x (f32) to u8 by its own range, which 0 is made part of: y_scale = (max - min) / 255, "
        "y_zero_point = round(-min / y_scale), y = saturate(round(x / y_scale) + y_zero_point), ties to even.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
