#include <algorithm>
#include <cstring>

#include "kernels/tensor/conv_transpose.hpp"
#include "kernels/tensor/patches.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Keeps sums and products of extents and attributes far from overflow.
constexpr std::int64_t kMost = std::int64_t{1} << 31;

bool is_extent(std::int64_t n) {
  return n >= 1 && n <= kMost;
}
bool is_padding(std::int64_t n) {
  return n >= 0 && n <= kMost;
}

void infer(TypeContext& context) {
  const auto image = constant_integers(context, 1), block = constant_integers(context, 2);
  const TensorType& x = input(context, 0);
  if (!image || !block || !x.shape || x.shape->size() != 3) return set_output(context, 0, x.dtype, std::nullopt);
  if (image->size() != block->size()) refuse(context.node, "image and blocks have different numbers of axes");
  const bool extents = std::ranges::all_of(*image, is_extent) && std::ranges::all_of(*block, is_extent);
  if (!extents) refuse(context.node, "extents of image and blocks lie between 1 and 2^31");
  Dims blocks;
  for (const std::int64_t extent : *block) blocks.emplace_back(extent);
  const Dim taps = product(blocks, 0, blocks.size());
  const Dim channels = (*x.shape)[1];
  Dims out = {(*x.shape)[0], taps.is_known() && channels.is_known() ? Dim(channels.value / taps.value) : Dim()};
  for (const std::int64_t extent : *image) out.emplace_back(extent);
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Longs image = longs(a.inputs[1]), block = longs(a.inputs[2]);
  const std::size_t axes = image.size();
  const Longs strides = node.integers("strides", Longs(axes, 1)),
              dilations = node.integers("dilations", Longs(axes, 1)), pads = node.integers("pads", Longs(2 * axes, 0));
  for (const Longs* extents : {&image, &block, &strides, &dilations}) {
    if (extents->size() != axes || !std::ranges::all_of(*extents, is_extent))
      outside("extents of image and blocks, strides and dilations are one for each axis, between 1 and 2^31");
  }
  if (pads.size() != 2 * axes || !std::ranges::all_of(pads, is_padding))
    outside("pads are two for each axis, between 0 and 2^31");
  Longs steps;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t room = image[i] + pads[i] + pads[axes + i] - dilations[i] * (block[i] - 1) - 1;
    steps.push_back(room < 0 ? 0 : room / strides[i] + 1);
  }
  const Shape taps(block), places(steps), space(image);
  const Longs to_strides = strides_of(space);
  const Shape given = a.inputs[0].shape();
  if (given.rank() != 3 || places.elements() != given[2] || given[1] % taps.elements() != 0)
    outside("columns " + given.text() + " do not fit blocks " + taps.text() + " at " + places.text() + " places");
  Doubles y(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  for (std::int64_t plane = 0; plane < a.outputs[0].shape()[0] * a.outputs[0].shape()[1]; ++plane) {
    Position tap(taps);
    for (std::int64_t k = 0; k < taps.elements(); ++k, tap.next()) {
      Position at(places);
      for (std::int64_t l = 0; l < places.elements(); ++l, at.next()) {
        std::int64_t to = 0;
        bool inside = true;
        for (std::size_t d = 0; d < axes; ++d) {
          const std::int64_t q = at[d] * strides[d] + tap[d] * dilations[d] - pads[d];
          inside = inside && q >= 0 && q < image[d];
          to += q * to_strides[d];
        }
        if (inside)
          y[static_cast<std::size_t>(plane * space.elements() + to)] +=
              x[static_cast<std::size_t>((plane * taps.elements() + k) * places.elements() + l)];
      }
    }
  }
  store(y, a.outputs[0]);
}

// The window that takes the blocks out of the image, where everything about it is known and in order.
std::optional<kernels::Window> window_of(const Node& node, const NodeTypes& types) {
  if (types.constants[1] == nullptr || types.constants[2] == nullptr) return std::nullopt;
  const Longs image = integers_of(node, *types.constants[1]), block = integers_of(node, *types.constants[2]);
  const std::size_t axes = image.size();
  if (axes < 1 || axes > 3 || block.size() != axes) return std::nullopt;
  const Longs strides = node.integers("strides", Longs(axes, 1)),
              dilations = node.integers("dilations", Longs(axes, 1)), pads = node.integers("pads", Longs(2 * axes, 0));
  if (strides.size() != axes || dilations.size() != axes || pads.size() != 2 * axes) return std::nullopt;
  kernels::Window w;
  for (std::size_t i = 0; i < axes; ++i) {
    const bool in_order = is_extent(image[i]) && is_extent(block[i]) && is_extent(strides[i]) &&
                          is_extent(dilations[i]) && is_padding(pads[i]) && is_padding(pads[axes + i]);
    if (!in_order) return std::nullopt;
    const std::int64_t room = image[i] + pads[i] + pads[axes + i] - dilations[i] * (block[i] - 1) - 1;
    const std::size_t to = 3 - axes + i;
    w.input[to] = image[i];
    w.kernel[to] = block[i];
    w.stride[to] = strides[i];
    w.dilation[to] = dilations[i];
    w.pad_begin[to] = pads[i];
    w.output[to] = room < 0 ? 0 : room / strides[i] + 1;
  }
  const Shape x = *types.inputs[0].static_shape();
  if (x.rank() != 3 || w.outputs() != x[2] || x[1] % w.taps() != 0 || x.elements() == 0) return std::nullopt;
  return w;
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const auto window = window_of(node, types);
  if (!window) return Unexpected{"blocks that are not known, or have more than three axes"};
  constexpr double kOfAnElement = 0.6, kOfARow = 8.0;
  const auto columns = static_cast<double>(elements(types.inputs[0]));
  return scalar_steps(types, columns * (kOfAnElement + kOfARow / static_cast<double>(window->output[2])));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const kernels::Window window = *window_of(node, types);
  const Shape x = *types.inputs[0].static_shape();
  const auto rows = static_cast<std::size_t>(x[0] * x[1] / window.taps());
  return {[window, taps = kernels::patch_taps(window), rows](const KernelArguments& a) {
    std::memset(a.outputs[0].data(), 0, a.outputs[0].bytes());
    kernels::add_columns(window, taps, a.inputs[0].as<float>().data(), rows, a.outputs[0].as<float>().data());
  }};
}

constexpr KernelRow kKernels[] = {{"add_columns_f32", can_f32, prepare_f32}, kReference<run, can_reference<45>>[0]};

}  // namespace

extern const OpRecord col2im_record;
const OpRecord col2im_record = {
    .name = "Col2Im",
    .since_opset = 18,
    .help = "Columns of blocks put together again, overlaps added: [N, C * taps, L] to [N, C, image_shape]. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
