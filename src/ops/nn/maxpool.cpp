#include <memory>

#include "kernels/tensor/pixels_i8.hpp"
#include "kernels/tensor/pool.hpp"
#include "kernels/tensor/slide.hpp"
#include "ops/nn/channels_last.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/quantized.hpp"
#include "ops/nn/sliding.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using PoolTypes = kernels::Join<kernels::Reals, kernels::Types<std::int8_t, std::uint8_t>>;

void infer(TypeContext& context) {
  require(context, 0, PoolTypes{});
  infer_pool(context);
  if (context.outputs.size() > 1) set_output(context, 1, DType::i64, context.outputs[0].shape);
}

bool wants_indices(const Node& node) {
  return node.outputs.size() > 1 && node.outputs[1] != kNoValue;
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (wants_indices(node)) return Unexpected{"indices are wanted"};
  const auto window = pool_window(node, types);
  const auto takes = slides_in_vectors(window);
  if (!takes) return Unexpected{takes.error()};
  return slide(types, window, pool_planes(node, types));
}

Cost can_ref(const Node& node, const NodeTypes& types) {
  if (!PoolTypes::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const auto window = pool_window(node, types);
  constexpr double kOfATap = 12.0;
  return scalar_steps(types, kOfATap * static_cast<double>(pool_planes(node, types)) *
                                 static_cast<double>(window.outputs() * window.taps()));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto slide = std::make_shared<const kernels::SlideF32>(pool_window(node, types), pool_planes(node, types));
  return {[slide](const KernelArguments& arguments) {
            slide->max(arguments.inputs[0].as<float>().data(), arguments.outputs[0].as<float>().data(),
                       arguments.scratch);
          },
          slide->scratch_bytes()};
}

bool is_byte(DType dtype) {
  return dtype == DType::i8 || dtype == DType::u8;
}

Cost can_i8_pixels(const Node& node, const NodeTypes& types) {
  if (!channels_last(node)) return Unexpected{"channels stand first"};
  if (!is_byte(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  if (wants_indices(node)) return Unexpected{"indices are wanted"};
  const auto window = pool_window(node, types);
  if (window.input[0] != 1 || window.kernel[0] != 1) return Unexpected{"three spatial axes"};
  auto work = stream_all(types);
  const auto planes = static_cast<double>(pool_planes(node, types));
  work.push_back({kernels::Rate::stream_cached, 2.0 * planes * static_cast<double>(window.outputs() * window.taps())});
  return work;
}

Prepared prepare_i8_pixels(const Node& node, const NodeTypes& types) {
  const Shape x = planes_first(node, *types.inputs[0].static_shape());
  // shared: std::function copies its target
  const auto pool = std::make_shared<const kernels::PixelMaxI8>(pool_window(node, types), x[0], x[1]);
  return {[pool](const KernelArguments& a) { pool->run(elements_of(a.inputs[0]), bytes_of(a.outputs[0])); }};
}

Cost can_i8(const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!is_byte(dtype)) return no_kernel(dtype);
  if (types.outputs.size() > 1) return Unexpected{"indices are wanted"};
  const auto window = pool_window(node, types);
  auto work = stream_all(types);
  const auto planes = static_cast<double>(pool_planes(node, types));
  work.push_back({kernels::Rate::stream_cached, 2.0 * planes * static_cast<double>(window.outputs() * window.taps())});
  work.push_back({kernels::Rate::scalar,
                  10.0 * planes * static_cast<double>(window.output[0] * window.output[1] * window.taps())});
  return work;
}

Prepared prepare_i8(const Node& node, const NodeTypes& types) {
  return {[window = pool_window(node, types), planes = pool_planes(node, types)](const KernelArguments& a) {
    kernels::max_pool_i8(window, planes, elements_of(a.inputs[0]), bytes_of(a.outputs[0]));
  }};
}

constexpr KernelRow kKernels[] = {
    {"max_pool_f32_pixels", can_pixel_pool, prepare_pixel_max},
    {"max_pool_i8_pixels", can_i8_pixels, prepare_i8_pixels},
    {"max_pool_f32", planes_only<can_f32>, prepare_f32},
    {"max_pool_i8", planes_only<can_i8>, prepare_i8},
    {"max_pool_ref", planes_only<can_ref>,
     [](const Node& node, const NodeTypes& types) -> Prepared {
       const bool by_column = node.integer("storage_order", 0) != 0;
       return {[window = pool_window(node, types), planes = pool_planes(node, types),
                by_column](const KernelArguments& arguments) {
         const MutableTensorView indices = arguments.outputs.size() > 1 ? arguments.outputs[1] : MutableTensorView();
         kernels::max_pool_ref(window, planes, by_column, arguments.inputs[0], arguments.outputs[0], indices);
       }};
     }},
};

}  // namespace

extern const OpRecord maxpool_record;
const OpRecord maxpool_record = {
    .name = "MaxPool",
    .since_opset = 22,
    .help =
        "Largest element of each window over X [N, C, space], 1 to 3 spatial axes; f16, bf16, f32, f64, i8 or u8. "
        "Attributes kernel_shape, strides, dilations, pads or auto_pad, ceil_mode. The optional second output, i64, "
        "says where in X each element stands, counted through the whole tensor; with storage_order 1 the first "
        "spatial axis is counted fastest. Of equal elements the first in row-major order is taken.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
