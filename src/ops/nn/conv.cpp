#include "kernels/tensor/conv.hpp"

#include <algorithm>
#include <memory>
#include <skerry/error.hpp>
#include <utility>

#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/onednn/onednn.hpp"
#include "kernels/tensor/slide.hpp"
#include "ops/nn/channels_last.hpp"
#include "ops/nn/conv_shape.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/sliding.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

using kernels::ConvShape;
using kernels::Rate;
using kernels::Window;

constexpr std::size_t kX = 0, kWeights = 1, kBias = 2, kResidual = 3, kScale = 4;
// What packing an element of a patch costs, in bytes streamed through the cache: measured over ResNet-50's layers,
// where it took 0.2 ns; half of that where patches are rows of the input as they stand.
constexpr double kPatchBytes = 40;
// A patch is copied row by row of the output: 5 ns each where a step of a reference loop took 0.5.
constexpr double kStepsPerPatchRow = 10;

void infer_planes(TypeContext& context) {
  require(context, kX, kernels::Reals{});
  require_same(context, kX, kWeights);
  require_same(context, kX, kBias);
  infer_conv(context, {kX, kWeights, kBias}, input(context, kX).dtype);
}
void infer(TypeContext& context) {
  infer_either(context, infer_planes);
}

ConvShape shape_of(const Node& node, const NodeTypes& types) {
  return conv_shape(node, types, kX, kWeights);
}

const float* bias_of(const KernelArguments& arguments) {
  return arguments.inputs.size() > kBias && !arguments.inputs[kBias].empty()
             ? arguments.inputs[kBias].as<float>().data()
             : nullptr;
}

Cost can_packed(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[kX].dtype);
  const ConvShape s = shape_of(node, types);
  const double products =
      static_cast<double>(s.batch * s.groups) *
      kernels::gemm_effective_flops(static_cast<std::size_t>(s.group_outputs()),
                                    static_cast<std::size_t>(s.window.outputs()), static_cast<std::size_t>(s.depth()));
  const double patches = static_cast<double>(s.batch * s.groups * s.depth()) * static_cast<double>(s.window.outputs());
  const bool as_they_stand = s.window.taps() == 1 && s.window.stride[2] == 1;
  std::vector<kernels::Work> work = {
      {Rate::gemm_f32, products},
      {Rate::stream_cached, patches * (as_they_stand ? kPatchBytes / 2 : kPatchBytes)},
      {Rate::scalar, kStepsPerPatchRow * patches / static_cast<double>(std::max<std::int64_t>(s.window.output[2], 1))}};
  if (types.constants[kWeights] == nullptr)
    work.push_back({Rate::stream_cached, 2.0 * static_cast<double>(bytes(types.inputs[kWeights]))});
  return work;
}

Prepared prepare_packed(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto conv =
      std::make_shared<const kernels::ConvF32>(shape_of(node, types), ConvWeights(types, kWeights, kScale).values);
  return {[conv, end = FusedEnd(node, kResidual)](const KernelArguments& arguments) {
            conv->run(arguments.inputs[kX].as<float>().data(), arguments.inputs[kWeights].as<float>().data(),
                      bias_of(arguments), arguments.outputs[0].as<float>().data(), arguments.scratch,
                      end.f32(arguments));
          },
          conv->scratch_bytes(), conv->packed_bytes()};
}

Cost can_depthwise(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[kX].dtype);
  const ConvShape s = shape_of(node, types);
  if (s.group_channels() != 1 || s.groups == 1) return Unexpected{"not one input channel per group"};
  const auto takes = slides_in_vectors(s.window);
  if (!takes) return Unexpected{takes.error()};
  return slide(types, s.window, s.batch * s.outputs);
}

Prepared prepare_depthwise(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  // shared: std::function copies its target
  const auto slide = std::make_shared<const kernels::SlideF32>(s.window, s.batch * s.outputs);
  // shared for the same reason
  const auto weights = std::make_shared<const ConvWeights>(types, kWeights, kScale);
  return {[slide, weights, outputs = s.outputs, multiplier = s.group_outputs(),
           end = FusedEnd(node, kResidual)](const KernelArguments& arguments) {
            slide->convolve(outputs, multiplier, arguments.inputs[kX].as<float>().data(),
                            weights->scaled.view().empty() ? arguments.inputs[kWeights].as<float>().data()
                                                           : weights->scaled.as<float>().data(),
                            bias_of(arguments), arguments.outputs[0].as<float>().data(), arguments.scratch,
                            end.f32(arguments));
          },
          slide->scratch_bytes(), weights->scaled.view().bytes()};
}

Cost can_onednn(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  const auto takes = onednn_takes(types, kWeights, s.flops());
  if (!takes) return Unexpected{takes.error()};
  if (s.window.input[0] != 1 || s.window.kernel[0] != 1) return Unexpected{"three spatial axes"};
  if (has_input(node, kBias) && constant_floats(types, kBias).empty()) return Unexpected{"the bias is not constant"};
  // Measured over ResNet-50's layers on one thread: 0.7 of the own kernels' time at 3x3, and the input and output are
  // reordered, which 1x1 layers feel.
  const double moved = 2.0 * static_cast<double>(bytes(types.inputs[kX]) + bytes(types.outputs[0]));
  return std::vector<kernels::Work>{{Rate::conv_f32, 0.7 * s.flops()}, {Rate::stream, moved}};
}

Prepared prepare_onednn(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  skerry_onednn_conv c{s.batch, s.channels, s.outputs, s.groups, {}, {}, {}, {}, {}, {}, {}};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const Window& w = s.window;
    c.input[axis] = w.input[axis + 1];
    c.kernel[axis] = w.kernel[axis + 1];
    c.stride[axis] = w.stride[axis + 1];
    c.dilation[axis] = w.dilation[axis + 1];
    c.output[axis] = w.output[axis + 1];
    c.pad_begin[axis] = w.pad_begin[axis + 1];
    // oneDNN wants to know exactly how far the last window reaches.
    const std::int64_t covered = (c.output[axis] - 1) * c.stride[axis] + (c.kernel[axis] - 1) * c.dilation[axis] + 1;
    c.pad_end[axis] = covered - c.input[axis] - c.pad_begin[axis];
  }
  const auto made = kernels::OnednnPrimitive::convolution(c, ConvWeights(types, kWeights, kScale).values,
                                                          constant_floats(types, kBias));
  if (!made) throw Error(ErrorCode::internal, made.error(), "conv_onednn", "set SKERRY_ONEDNN=off");
  return {[primitive = *made](const KernelArguments& arguments) {
            primitive->run(arguments.inputs[kX].as<float>().data(), arguments.outputs[0].as<float>().data(),
                           arguments.scratch);
          },
          (*made)->scratch_bytes(), (*made)->packed_bytes()};
}

Cost can_ref(const Node& node, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[kX].dtype)) return no_kernel(types.inputs[kX].dtype);
  return scalar_steps(types, shape_of(node, types).flops() / 2);
}

Prepared prepare_ref(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto weights = std::make_shared<const ConvWeights>(types, kWeights, kScale);
  return {[weights, shape = shape_of(node, types)](const KernelArguments& arguments) {
            const TensorView bias = arguments.inputs.size() > kBias ? arguments.inputs[kBias] : TensorView();
            const TensorView w = arguments.inputs[kWeights];
            const std::byte* scaled = weights->scaled.view().data();
            kernels::conv_ref(shape, arguments.inputs[kX],
                              scaled == nullptr ? w : TensorView(DType::f32, w.shape(), scaled), bias,
                              arguments.outputs[0]);
          },
          0, weights->scaled.view().bytes()};
}

constexpr KernelRow kKernels[] = {
    {"conv_f32_winograd", can_winograd, prepare_winograd},
    {"conv_f32_pixels", can_pixel_conv, prepare_pixel_conv},
    {"conv_f32_pixels_depthwise", can_pixel_depthwise, prepare_pixel_depthwise},
    {"conv_f32_depthwise", planes_only<can_depthwise>, prepare_depthwise},
    {"conv_onednn", planes_only<can_onednn>,
     [](const Node& node, const NodeTypes& types) { return finished(prepare_onednn(node, types), node, kResidual); }},
    {"conv_f32_packed", planes_only<can_packed>, prepare_packed},
    kThroughF32,
    {"conv_ref", planes_only<can_ref>,
     [](const Node& node, const NodeTypes& types) { return finished(prepare_ref(node, types), node, kResidual); }},
};

}  // namespace

extern const OpRecord conv_record;
const OpRecord conv_record = {
    .name = "Conv",
    .since_opset = 22,
    .help =
        "Convolution (in the sense of neural networks: the kernel is not mirrored) of X [N, C, space] with W [M, C / "
        "group, kernel] plus an optional bias [M]; 1 to 3 spatial axes; f16, bf16, f32 or f64. Attributes group, "
        "strides, dilations, pads (begins, then ends) or auto_pad; output extent floor((in + pads - dilation (kernel "
        "- 1) - 1) / stride) + 1, with auto_pad SAME ceil(in / stride). "
        "Where a pass put them in, input 3 of Y's shape is added and Y is kept within least and most, and constant "
        "weights are multiplied by input 4, one f32 per output; with channels_last X and Y are [N, space, C], with "
        "planes_in only Y.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
