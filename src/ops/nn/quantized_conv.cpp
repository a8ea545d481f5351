#include "ops/nn/quantized_conv.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/lines.hpp"
#include "kernels/tensor/pixels_i8.hpp"
#include "ops/nn/channels_last.hpp"
#include "ops/nn/refuse_numbers.hpp"
#include "ops/nn/sliding.hpp"

namespace skerry::ops {
namespace {

using kernels::ConvShape;

// The bounds that a fused activation leaves.
kernels::EndI8 bounded(const Node& node, kernels::EndI8 end) {
  end.low = std::max(end.low, static_cast<std::int32_t>(node.integer("low", end.low)));
  end.high = std::min(end.high, static_cast<std::int32_t>(node.integer("high", end.high)));
  return end;
}

TensorView view_at(const KernelArguments& a, std::size_t index) {
  return optional_view(a, index);
}

float real_at(const KernelArguments& a, std::size_t index, std::size_t element = 0) {
  const TensorView view = view_at(a, index);
  if (view.empty()) return 1.0F;
  float out = 1.0F;
  kernels::visit(kernels::Reals{}, view.dtype(), [&]<class T>() {
    const auto values = view.as<T>();
    out = kernels::convert<float>(values[values.size() == 1 ? 0 : element]);
  });
  return out;
}

std::int32_t zero_at(const KernelArguments& a, std::size_t index, std::size_t element = 0) {
  const TensorView view = view_at(a, index);
  if (view.empty()) return 0;
  std::int32_t out = 0;
  kernels::visit(kernels::Integers{}, view.dtype(), [&]<class T>() {
    const auto values = view.as<T>();
    // NOLINTNEXTLINE(bugprone-signed-char-misuse): a number, no letter
    out = static_cast<std::int32_t>(values[values.size() == 1 ? 0 : element]);
  });
  return out;
}

// Scales of all outputs, in the order in which the products of a quantised convolution are scaled:
// x_scale * w_scale / y_scale.
void write_scales(const QuantizedConv& at, const KernelArguments& a, std::span<float> scales) {
  const float x = real_at(a, at.x_scale), y = real_at(a, at.y_scale);
  for (std::size_t o = 0; o < scales.size(); ++o) scales[o] = x * real_at(a, at.w_scale, o) / y;
}

Expected<bool> constant_weights(const QuantizedConv& at, const NodeTypes& types) {
  return all_known(types, {at.w, at.w_zero});
}

TensorView constant_view(const NodeTypes& types, std::size_t index) {
  return index < types.constants.size() && types.constants[index] != nullptr ? types.constants[index]->view()
                                                                             : TensorView();
}

// What the kernels for channels last know before they run; it refers to `types`.
struct PixelConv {
  kernels::QuantisedConvI8 conv;
  std::vector<float> scales;
  std::vector<std::int32_t> bias;
  kernels::EndI8 end;
  kernels::SumI8 sum;
};

std::int32_t constant_zero(const NodeTypes& types, std::size_t index) {
  const TensorView view = constant_view(types, index);
  return view.empty() ? 0 : zeros_of(view)[0];
}

Expected<bool> takes_pixels(const QuantizedConv& at, const Node& node, const NodeTypes& types, const ConvShape& s) {
  if (!channels_last(node)) return Unexpected{"channels stand first"};
  auto known = all_known(types, {at.x_scale, at.x_zero, at.w, at.w_scale, at.w_zero, at.y_scale, at.y_zero, at.bias,
                                 at.residual + 1, at.residual + 2, at.residual + 3, at.residual + 4});
  if (!known) return known;
  const std::int32_t wanted = types.inputs[at.w].dtype == DType::i8 ? 0 : 128;
  const auto zeros = zeros_of(constant_view(types, at.w_zero));
  if (zeros.empty() ? wanted != 0 : !std::ranges::all_of(zeros, [&](std::int32_t z) { return z == wanted; }))
    return Unexpected{"the weights have a zero point"};
  const kernels::Window& w = s.window;
  if (w.input[0] != 1 || w.kernel[0] != 1 || w.pad_begin[0] != 0 || w.pad_end[0] != 0)
    return Unexpected{"three spatial axes"};
  return true;
}

kernels::QuantI8 constant_quant(const NodeTypes& types, std::size_t scale) {
  return {reals_of(constant_view(types, scale))[0], constant_zero(types, scale + 1)};
}

PixelConv pixel_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types, const ConvShape& shape) {
  PixelConv out;
  const float x = reals_of(constant_view(types, at.x_scale))[0], y = reals_of(constant_view(types, at.y_scale))[0];
  const auto w = reals_of(constant_view(types, at.w_scale));
  for (std::size_t o = 0; o < static_cast<std::size_t>(shape.outputs); ++o)
    out.scales.push_back(x * w[w.size() == 1 ? 0 : o] / y);
  if (const TensorView bias = constant_view(types, at.bias); !bias.empty()) out.bias = zeros_of(bias);
  out.conv = {.weights = elements_of(constant_view(types, at.w)),
              .x_signed = types.inputs[at.x].dtype == DType::i8,
              .x_zero = constant_zero(types, at.x_zero),
              .bias = out.bias,
              .scale = out.scales};
  out.end = bounded(node, end_at(types.outputs[0].dtype, constant_zero(types, at.y_zero)));
  if (has_input(node, at.residual)) {
    const bool left = node.integer("residual_left", 0) != 0;
    const kernels::QuantI8 mine = constant_quant(types, at.y_scale), other = constant_quant(types, at.residual + 1);
    out.sum =
        kernels::sum_with_residual(left ? other : mine, left ? mine : other, constant_quant(types, at.residual + 3),
                                   left, types.outputs[0].dtype == DType::i8);
  }
  return out;
}

// Any of the two kernels that take packed weights.
template <class Kernel>
Prepared prepare_with(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  const ConvShape shape = conv_shape(node, types, at.x, at.w);
  // shared: std::function copies its target
  const auto conv = std::make_shared<const Kernel>(shape, elements_of(constant_view(types, at.w)),
                                                   zeros_of(constant_view(types, at.w_zero)));
  const auto outputs = static_cast<std::size_t>(shape.outputs);
  const std::uint64_t scale_bytes = base::whole_lines(outputs * sizeof(float));
  kernels::EndI8 end = bounded(node, end_at(types.outputs[0].dtype, 0));
  return {[at, conv, outputs, scale_bytes, end](const KernelArguments& a) {
            const std::span<float> scales(reinterpret_cast<float*>(a.scratch.data()), outputs);
            kernels::EndI8 now = end;
            if (end.to != kernels::EndI8::To::i32) {
              write_scales(at, a, scales);
              now.row_scale = scales.data();
              now.zero = zero_at(a, at.y_zero);
            }
            const TensorView bias = view_at(a, at.bias);
            conv->run(elements_of(a.inputs[at.x]), zero_at(a, at.x_zero),
                      bias.empty() ? nullptr : bias.as<std::int32_t>().data(), now, a.outputs[0].data(),
                      a.scratch.subspan(scale_bytes));
          },
          scale_bytes + conv->scratch_bytes(), conv->packed_bytes()};
}

// One output element of a convolution as its definition says.
std::int32_t sum_at(const ConvShape& s, const KernelArguments& a, const QuantizedConv& at, std::int64_t image,
                    std::int64_t o, std::int64_t p) {
  const auto x = elements_of(a.inputs[at.x]), w = elements_of(a.inputs[at.w]);
  const std::int32_t x_zero = zero_at(a, at.x_zero), w_zero = zero_at(a, at.w_zero, static_cast<std::size_t>(o));
  const auto value = [](const kernels::ElementsI8& e, std::int64_t i) {
    return e.is_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(e.data[i]))
                       : static_cast<std::int32_t>(e.data[i]);
  };
  const kernels::Window& win = s.window;
  const std::int64_t pz = p / win.output[2] / win.output[1], py = p / win.output[2] % win.output[1],
                     px = p % win.output[2];
  std::uint32_t sum = 0;
  for (std::int64_t c = 0; c < s.group_channels(); ++c) {
    const std::int64_t channel = o / s.group_outputs() * s.group_channels() + c;
    for (std::int64_t k = 0; k < win.taps(); ++k) {
      const std::int64_t z = win.position(0, pz, k / win.kernel[2] / win.kernel[1]);
      const std::int64_t y = win.position(1, py, k / win.kernel[2] % win.kernel[1]);
      const std::int64_t xx = win.position(2, px, k % win.kernel[2]);
      if (z < 0 || y < 0 || xx < 0 || z >= win.input[0] || y >= win.input[1] || xx >= win.input[2]) continue;
      const std::int64_t i = ((image * s.channels + channel) * win.input[0] + z) * win.input[1] + y;
      const std::int32_t product = (value(x, i * win.input[2] + xx) - x_zero) *
                                   (value(w, (o * s.group_channels() + c) * win.taps() + k) - w_zero);
      sum += static_cast<std::uint32_t>(product);
    }
  }
  const TensorView bias = view_at(a, at.bias);
  if (!bias.empty()) sum += static_cast<std::uint32_t>(bias.as<std::int32_t>()[static_cast<std::size_t>(o)]);
  return static_cast<std::int32_t>(sum);
}

void run_ref(const ConvShape& s, const KernelArguments& a, const QuantizedConv& at, kernels::EndI8 end) {
  end.zero = zero_at(a, at.y_zero);
  const float x_scale = real_at(a, at.x_scale), y_scale = real_at(a, at.y_scale);
  const auto low = static_cast<float>(end.low - end.zero), high = static_cast<float>(end.high - end.zero);
  std::size_t to = 0;
  for (std::int64_t i = 0; i < s.batch * s.outputs; ++i) {
    const std::int64_t o = i % s.outputs;
    const float scale = x_scale * real_at(a, at.w_scale, static_cast<std::size_t>(o)) / y_scale;
    for (std::int64_t p = 0; p < s.window.outputs(); ++p, ++to) {
      const std::int32_t sum = sum_at(s, a, at, i / s.outputs, o, p);
      if (end.to == kernels::EndI8::To::i32) {
        a.outputs[0].as<std::int32_t>()[to] = sum;
        continue;
      }
      const float scaled = static_cast<float>(sum) * scale;
      const float inside = std::min(scaled > low ? scaled : low, high);
      bytes_of(a.outputs[0])[to] =
          static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(inside)) + end.zero);
    }
  }
}

}  // namespace

void require_quant_sizes(const QuantizedConv& at, const TypeContext& context) {
  const auto& y = context.outputs[0].shape;
  const std::int64_t outputs = y && y->size() > 1 ? (*y)[1].value : -1;
  const std::size_t r = at.residual;
  for (const std::size_t index :
       {at.x_scale, at.x_zero, at.w_scale, at.w_zero, at.y_scale, at.y_zero, r + 1, r + 2, r + 3, r + 4}) {
    const TensorType* type = optional_input(context, index);
    const auto shape = type == nullptr ? std::nullopt : type->static_shape();
    if (!shape || shape->elements() == 1) continue;
    const bool each = index == at.w_scale || index == at.w_zero;
    if (!each || (outputs >= 0 && shape->elements() != outputs))
      refuse_numbers(context.node, "input # has # numbers", {static_cast<std::int64_t>(index), shape->elements()});
  }
}

Cost can_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  if (channels_last(node)) return Unexpected{"channels stand last"};
  if (const auto known = constant_weights(at, types); !known) return Unexpected{known.error()};
  const ConvShape s = conv_shape(node, types, at.x, at.w);
  const double planes = static_cast<double>(s.batch * s.groups);
  const double steps = planes * kernels::gemm_i8_effective_steps(static_cast<std::size_t>(s.group_outputs()),
                                                                 static_cast<std::size_t>(s.window.outputs()),
                                                                 static_cast<std::size_t>(s.depth()));
  // Patches are copied row by row of the output, then interleaved.
  const double patches = planes * static_cast<double>(s.depth()) * static_cast<double>(s.window.outputs());
  const bool as_they_stand = s.window.taps() == 1 && s.window.stride[2] == 1;
  auto work = steps_i8(types, steps);
  work.push_back({kernels::Rate::stream_cached, 8.0 * patches});
  if (!as_they_stand)
    work.push_back(
        {kernels::Rate::scalar, 10.0 * patches / static_cast<double>(std::max<std::int64_t>(s.window.output[2], 1))});
  work.push_back({kernels::Rate::stream_cached, 16.0 * static_cast<double>(elements(types.outputs[0]))});
  return work;
}

Prepared prepare_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  return prepare_with<kernels::ConvI8>(at, node, types);
}

Cost can_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  if (channels_last(node)) return Unexpected{"channels stand last"};
  if (const auto known = constant_weights(at, types); !known) return Unexpected{known.error()};
  const ConvShape s = conv_shape(node, types, at.x, at.w);
  if (s.group_channels() != 1 || s.groups == 1) return Unexpected{"not one input channel per group"};
  if (s.window.taps() > kernels::DepthwiseI8::kMostTaps) return Unexpected{"too many taps for exact sums in float"};
  const auto takes = slides_in_vectors(s.window);
  if (!takes) return Unexpected{takes.error()};
  auto work = slide(types, s.window, s.batch * s.outputs);
  work.push_back({kernels::Rate::stream_cached,
                  8.0 * static_cast<double>(elements(types.inputs[at.x]) + elements(types.outputs[0]))});
  return work;
}

Prepared prepare_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  return prepare_with<kernels::DepthwiseI8>(at, node, types);
}

Cost can_pixel_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  const ConvShape s = conv_shape(node, types, at.x, at.w);
  const auto takes = takes_pixels(at, node, types, s);
  if (!takes) return Unexpected{takes.error()};
  if (s.groups != 1) return Unexpected{"more than one group"};
  return steps_i8(types, s.flops() / 2);
}

Prepared prepare_pixel_quantized_conv(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  const ConvShape shape = conv_shape(node, types, at.x, at.w);
  const PixelConv from = pixel_conv(at, node, types, shape);
  // shared: std::function copies its target
  const auto conv = std::make_shared<const kernels::PixelConvI8>(shape, from.conv, node.integer("planes_in", 0) != 0);
  return {[conv, x = at.x, residual = at.residual, end = from.end, sum = from.sum](const KernelArguments& a) {
            const TensorView added = view_at(a, residual);
            conv->run(elements_of(a.inputs[x]).data, bytes_of(a.outputs[0]), a.scratch, end,
                      {elements_of(added).data, sum});
          },
          conv->scratch_bytes(),
          conv->packed_bytes(),
          {at.w, at.bias}};
}

Cost can_pixel_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  const ConvShape s = conv_shape(node, types, at.x, at.w);
  const auto takes = takes_pixels(at, node, types, s);
  if (!takes) return Unexpected{takes.error()};
  if (s.group_channels() != 1 || s.group_outputs() != 1) return Unexpected{"not one channel per group"};
  if (has_input(node, at.residual)) return Unexpected{"a residual is added"};
  if (node.integer("planes_in", 0) != 0) return Unexpected{"its input stands with channels first"};
  return slide(types, s.window, s.batch * s.outputs);
}

Prepared prepare_pixel_quantized_depthwise(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  const ConvShape shape = conv_shape(node, types, at.x, at.w);
  const PixelConv from = pixel_conv(at, node, types, shape);
  // shared: std::function copies its target
  const auto conv = std::make_shared<const kernels::PixelDepthwiseI8>(shape, from.conv);
  return {[conv, x = at.x, end = from.end](const KernelArguments& a) {
            conv->run(elements_of(a.inputs[x]).data, bytes_of(a.outputs[0]), end);
          },
          0,
          conv->packed_bytes(),
          {at.w, at.bias}};
}

Cost can_quantized_conv_ref(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  if (channels_last(node)) return Unexpected{"channels stand last"};
  return scalar_steps(types, 10.0 * conv_shape(node, types, at.x, at.w).flops());
}

Prepared prepare_quantized_conv_ref(const QuantizedConv& at, const Node& node, const NodeTypes& types) {
  const kernels::EndI8 end = bounded(node, end_at(types.outputs[0].dtype, 0));
  return {
      [at, end, shape = conv_shape(node, types, at.x, at.w)](const KernelArguments& a) { run_ref(shape, a, at, end); }};
}

}  // namespace skerry::ops
