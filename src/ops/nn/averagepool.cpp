#include <memory>

#include "kernels/tensor/pool.hpp"
#include "kernels/tensor/slide.hpp"
#include "ops/nn/channels_last.hpp"
#include "ops/nn/global_pool.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/sliding.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  infer_pool(context);
}

bool counts_padding(const Node& node) {
  return node.integer("count_include_pad", 0) != 0;
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const auto window = pool_window(node, types);
  const auto takes = slides_in_vectors(window);
  if (!takes) return Unexpected{takes.error()};
  return slide(types, window, pool_planes(node, types));
}

Cost can_ref(const Node& node, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const auto window = pool_window(node, types);
  return scalar_steps(
      types, static_cast<double>(pool_planes(node, types)) * static_cast<double>(window.outputs() * window.taps()));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto slide = std::make_shared<const kernels::SlideF32>(pool_window(node, types), pool_planes(node, types));
  return {[slide, padding = counts_padding(node)](const KernelArguments& arguments) {
            slide->average(padding, arguments.inputs[0].as<float>().data(), arguments.outputs[0].as<float>().data(),
                           arguments.scratch);
          },
          slide->scratch_bytes()};
}

// One window that is the whole plane.
Cost can_whole(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const auto window = pool_window(node, types);
  const bool whole = window.outputs() == 1 && window.kernel == window.input && window.position(0, 0, 0) == 0 &&
                     window.position(1, 0, 0) == 0 && window.position(2, 0, 0) == 0 &&
                     window.dilation == kernels::Window::kOnes;
  if (!whole) return Unexpected{"the window is not the whole plane"};
  return stream_all(types);
}

constexpr KernelRow kKernels[] = {
    {"average_pool_f32_pixels", can_pixel_pool, prepare_pixel_average},
    {"average_pool_whole", planes_only<can_whole>,
     [](const Node&, const NodeTypes& types) { return prepare_global_pool_f32(kernels::Reduction::mean, types); }},
    {"average_pool_f32", planes_only<can_f32>, prepare_f32},
    kThroughF32,
    {"average_pool_ref", planes_only<can_ref>,
     [](const Node& node, const NodeTypes& types) -> Prepared {
       return {[window = pool_window(node, types), planes = pool_planes(node, types),
                padding = counts_padding(node)](const KernelArguments& arguments) {
         kernels::average_pool_ref(window, planes, padding, arguments.inputs[0], arguments.outputs[0]);
       }};
     }},
};

}  // namespace

extern const OpRecord averagepool_record;
const OpRecord averagepool_record = {
    .name = "AveragePool",
    .since_opset = 22,
    .help =
        "Mean of each window over X [N, C, space], 1 to 3 spatial axes; f16, bf16, f32 or f64. Attributes "
        "kernel_shape, strides, dilations, pads or auto_pad, ceil_mode. Padding is not counted unless "
        "count_include_pad is 1; what a window of ceil_mode sees beyond the padding is never counted.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
