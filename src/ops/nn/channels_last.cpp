#include "ops/nn/channels_last.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "base/threads.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/winograd.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/sliding.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::ConvShape;
using kernels::PixelWindowF32;
using kernels::Rate;
using kernels::Window;

constexpr std::size_t kX = 0, kWeights = 1, kBias = 2, kResidual = 3, kScale = 4, kQuantisedResidual = 9;
// Measured: fewer channels or pixels than these pay for transforms with what the products save. With tiles of 2 x 2,
// smaller images have many channels: at 14 x 14 ResNet-50 would gain 5 % of its time and hold 9 MB more of weights.
bool winograd_pays(std::int64_t channels, std::int64_t outputs, std::int64_t height, std::int64_t width) {
  const bool large_tiles = kernels::WinogradF32::tile_of(channels, outputs) == 4;
  return std::min(channels, outputs) >= 16 && std::min(height, width) >= (large_tiles ? 8 : 16);
}

bool planes_in(const Node& node) {
  return node.integer("planes_in", 0) != 0;
}

TensorType channels_to(std::size_t from, std::size_t to, TensorType type) {
  if (!type.shape || type.shape->size() < 3) return type;
  Dims& dims = *type.shape;
  const Dim channels = dims[from == 1 ? 1 : dims.size() - 1];
  dims.erase(from == 1 ? dims.begin() + 1 : dims.end() - 1);
  dims.insert(to == 1 ? dims.begin() + 1 : dims.end(), channels);
  return type;
}

Expected<bool> flat(const Window& w) {
  if (w.input[0] != 1 || w.kernel[0] != 1 || w.pad_begin[0] != 0 || w.pad_end[0] != 0)
    return Unexpected{"three spatial axes"};
  return true;
}

Expected<bool> takes_conv(const Node& node, const NodeTypes& types, const ConvShape& s) {
  if (!channels_last(node)) return Unexpected{"channels stand first"};
  if (!is_f32(types)) return no_kernel(types.inputs[kX].dtype);
  if (types.constants[kWeights] == nullptr) return Unexpected{"the weights are not constant"};
  if (s.depth() == 0 || s.outputs == 0) return Unexpected{"the weights have no elements"};
  if (has_input(node, kBias) && constant_floats(types, kBias).empty()) return Unexpected{"the bias is not constant"};
  if (has_input(node, kScale) && constant_floats(types, kScale).empty()) return Unexpected{"the scale is not constant"};
  if (const auto panels = packed_pixels(node)) {
    const bool fit = panels->fit(s.outputs) && s.groups == 1 && !planes_in(node) && !has_input(node, kScale);
    if (!fit) return Unexpected{"its weights cannot be packed like that"};
  }
  return flat(s.window);
}

ConvShape shape_of(const Node& node, const NodeTypes& types) {
  return conv_shape(node, types, kX, kWeights);
}

const float* x_of(const KernelArguments& a) {
  return a.inputs[kX].as<float>().data();
}
float* y_of(const KernelArguments& a) {
  return a.outputs[0].as<float>().data();
}

Prepared pool(const Window& window, const Shape& x, bool largest, bool count_padding) {
  // shared: std::function copies its target
  const auto kernel = std::make_shared<PixelWindowF32>(window, x[0], x[1]);
  kernel->begin_with(largest ? -std::numeric_limits<float>::infinity() : 0.0F);
  return {[kernel, largest, count_padding](const KernelArguments& a) {
            if (largest) return kernel->max(x_of(a), y_of(a));
            kernel->average(count_padding, x_of(a), y_of(a));
          },
          0, kernel->packed_bytes()};
}

Window whole(const Shape& x) {
  Window window;
  for (int axis = 2; axis < x.rank(); ++axis) {
    const auto to = static_cast<std::size_t>(axis + 3 - x.rank());
    window.input[to] = window.kernel[to] = x[axis];
  }
  return window;
}

}  // namespace

bool channels_last(const Node& node) {
  return node.integer("channels_last", 0) != 0;
}

Shape planes_first(const Node& node, const Shape& x) {
  if (!channels_last(node) || planes_in(node)) return x;
  return *channels_to(2, 1, TensorType::of(DType::f32, x)).static_shape();
}

std::optional<kernels::PixelPanels> packed_pixels(const Node& node) {
  const std::vector<std::int64_t> given = node.integers("packed");
  if (given.empty()) return std::nullopt;
  constexpr std::int64_t kMost = 4096;
  // What is no panel fits nothing.
  const bool sound = given.size() == 2 && std::ranges::all_of(given, [](auto n) { return n > 0 && n <= kMost; });
  if (!sound) return kernels::PixelPanels{0, 0};
  return kernels::PixelPanels{static_cast<std::size_t>(given[0]), static_cast<std::size_t>(given[1])};
}

bool wants_packed_pixels(const Graph& graph, const Node& node) {
  if (node.op != "Conv" || !channels_last(node) || planes_in(node) || node.integer("group", 1) != 1) return false;
  const auto& weights = graph.value(node.inputs[kWeights]).constant;
  if (node.find("packed") != nullptr || !weights || weights->dtype() != DType::f32) return false;
  const Shape w = weights->shape();
  const bool flat = w.rank() == 3 || w.rank() == 4;
  if (!flat || w.elements() == 0 || !kernels::PixelPanels::here().fit(w[0])) return false;
  if (has_input(node, kBias) && !graph.value(node.inputs[kBias]).constant) return false;
  // Winograd's kernel takes plain weights: whether it will be taken depends on the image.
  const auto ones = [&](const char* name) {
    return std::ranges::all_of(node.integers(name), [](std::int64_t n) { return n == 1; });
  };
  const bool square = w.rank() == 4 && w[2] == 3 && w[3] == 3 && ones("strides") && ones("dilations");
  constexpr std::int64_t kAnyExtent = 1 << 20;
  if (!square || !winograd_pays(w[1], w[0], kAnyExtent, kAnyExtent)) return true;
  const auto& image = graph.value(node.outputs[0]).type.shape;
  if (!image || image->size() != 4 || !(*image)[1].is_known() || !(*image)[2].is_known()) return false;
  return !winograd_pays(w[1], w[0], (*image)[1].value, (*image)[2].value);
}

int overwritten_residual(const Node& node) {
  // The loops of depthwise windows tell a residual by its distance from the result.
  if (!channels_last(node) || node.integer("group", 1) != 1) return -1;
  if (node.op == "Conv" && has_input(node, kResidual)) return static_cast<int>(kResidual);
  return node.op == "QLinearConv" && has_input(node, kQuantisedResidual) ? static_cast<int>(kQuantisedResidual) : -1;
}

void infer_either(TypeContext& context, void (*rule)(TypeContext&)) {
  if (!channels_last(context.node)) return rule(context);
  const TensorType x = planes_in(context.node) ? input(context, kX) : channels_to(2, 1, input(context, kX));
  std::vector<const TensorType*> inputs(context.inputs.begin(), context.inputs.end());
  inputs[kX] = &x;
  TypeContext inner{context.node, inputs, context.constants, context.dims, context.outputs, context.output_dims};
  rule(inner);
  context.outputs = std::move(inner.outputs);
  context.outputs[0] = channels_to(1, 2, std::move(context.outputs[0]));
}

// Rates are those of all threads; of a small convolution the threads spend their time on fetching what others wrote.
double shared_badly(double flops) {
  constexpr double kHardlyShared = 2.5e6;
  const double others = base::thread_budget() - 1;
  return flops + others * std::min(flops, kHardlyShared);
}

Cost can_pixel_conv(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  const auto takes = takes_conv(node, types, s);
  if (!takes) return Unexpected{takes.error()};
  if (s.groups != 1) return Unexpected{"more than one group"};
  return std::vector<kernels::Work>{{Rate::gemm_f32, shared_badly(s.flops())},
                                    {Rate::stream_cached, static_cast<double>(bytes(types.inputs[kX]))}};
}

namespace {

kernels::PixelConvF32 pixel_conv(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  const auto weights = constant_floats(types, kWeights), bias = constant_floats(types, kBias);
  const auto panels = packed_pixels(node);
  if (!panels) return kernels::PixelConvF32(s, ConvWeights(types, kWeights, kScale).values, bias, planes_in(node));
  if (*panels == kernels::PixelPanels::here()) return kernels::PixelConvF32::of_packed(s, weights, bias);
  auto plain = base::Buffer::allocate_for<float>(weights.size(), base::MemoryBudget(), "unpacked weights");
  kernels::unpack_pixel_weights(s, *panels, weights, plain.as<float>());
  return kernels::PixelConvF32(s, plain.as<float>(), bias, false);
}

}  // namespace

Prepared prepare_pixel_conv(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto conv = std::make_shared<const kernels::PixelConvF32>(pixel_conv(node, types));
  std::vector<std::size_t> read = {kBias, kScale};
  if (packed_pixels(node) != kernels::PixelPanels::here()) read.push_back(kWeights);
  return {[conv, end = FusedEnd(node, kResidual)](const KernelArguments& a) {
            conv->run(x_of(a), y_of(a), a.scratch, end.f32(a));
          },
          conv->scratch_bytes(), conv->packed_bytes(), std::move(read)};
}

Cost can_winograd(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  const auto takes = takes_conv(node, types, s);
  if (!takes) return Unexpected{takes.error()};
  if (planes_in(node)) return Unexpected{"its input stands with channels first"};
  if (packed_pixels(node)) return Unexpected{"its weights are packed for another kernel"};
  if (!kernels::WinogradF32::takes(s)) return Unexpected{"no window of 3 x 3 at stride 1, or odd numbers of channels"};
  if (!winograd_pays(s.channels, s.outputs, s.window.output[1], s.window.output[2]))
    return Unexpected{"too few channels or pixels for transforms to pay"};
  return std::vector<kernels::Work>{{Rate::gemm_f32, shared_badly(kernels::WinogradF32::flops(s))},
                                    {Rate::stream_cached, kernels::WinogradF32::moved_bytes(s)}};
}

Prepared prepare_winograd(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto conv = std::make_shared<const kernels::WinogradF32>(
      shape_of(node, types), ConvWeights(types, kWeights, kScale).values, constant_floats(types, kBias));
  return {[conv, end = FusedEnd(node, kResidual)](const KernelArguments& a) {
            conv->run(x_of(a), y_of(a), a.scratch, end.f32(a));
          },
          conv->scratch_bytes(),
          conv->packed_bytes(),
          {kWeights, kBias, kScale}};
}

// Windows over pixels whose channels lie together: a vector of channels is loaded for every tap.
std::vector<kernels::Work> pixel_windows(const NodeTypes& types, const Window& window, std::int64_t planes) {
  constexpr double kBytesPerTap = 6.0;  // of 4 loaded, and the multiplication; fitted
  auto work = stream_all(types);
  const auto taps = static_cast<double>(window.outputs() * window.taps()) * static_cast<double>(planes);
  work.push_back({Rate::stream_cached, kBytesPerTap * taps});
  return work;
}

Cost can_pixel_depthwise(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  const auto takes = takes_conv(node, types, s);
  if (!takes) return Unexpected{takes.error()};
  if (s.group_channels() != 1 || s.group_outputs() != 1) return Unexpected{"not one channel per group"};
  if (planes_in(node)) return Unexpected{"its input stands with channels first"};
  return pixel_windows(types, s.window, s.batch * s.outputs);
}

Prepared prepare_pixel_depthwise(const Node& node, const NodeTypes& types) {
  const ConvShape s = shape_of(node, types);
  // shared: std::function copies its target
  const auto kernel = std::make_shared<PixelWindowF32>(s.window, s.batch, s.outputs);
  kernel->pack(ConvWeights(types, kWeights, kScale).values, constant_floats(types, kBias));
  return {[kernel, end = FusedEnd(node, kResidual)](const KernelArguments& a) {
            kernel->convolve(x_of(a), y_of(a), end.f32(a));
          },
          0,
          kernel->packed_bytes(),
          {kWeights, kBias, kScale}};
}

Cost can_pixel_pool(const Node& node, const NodeTypes& types) {
  if (!channels_last(node)) return Unexpected{"channels stand first"};
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (types.outputs.size() > 1 && node.outputs[1] != kNoValue) return Unexpected{"indices are wanted"};
  const Window window = pool_window(node, types);
  const auto takes = flat(window);
  if (!takes) return Unexpected{takes.error()};
  return pixel_windows(types, window, pool_planes(node, types));
}

Prepared prepare_pixel_max(const Node& node, const NodeTypes& types) {
  return pool(pool_window(node, types), planes_first(node, *types.inputs[0].static_shape()), true, false);
}
Prepared prepare_pixel_average(const Node& node, const NodeTypes& types) {
  return pool(pool_window(node, types), planes_first(node, *types.inputs[0].static_shape()), false,
              node.integer("count_include_pad", 0) != 0);
}

Cost can_pixel_mean(const Node& node, const NodeTypes& types) {
  if (!channels_last(node)) return Unexpected{"channels stand first"};
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (types.inputs[0].shape->size() > 4) return Unexpected{"three spatial axes"};
  return stream_all(types);
}

Prepared prepare_pixel_mean(const Node& node, const NodeTypes& types) {
  const Shape x = planes_first(node, *types.inputs[0].static_shape());
  return pool(whole(x), x, false, false);
}

}  // namespace skerry::ops
