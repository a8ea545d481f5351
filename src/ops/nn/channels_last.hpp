/// \file
/// Operators over images may have channels last, [N, space, C], where a pass chose so: attribute `channels_last`. The
/// weights of a convolution stand as ever, and with `planes_in` so does its input.
#pragma once

#include <optional>

#include "kernels/tensor/pixels.hpp"
#include "ops/nn/conv_shape.hpp"
#include "ops/nn/kernel_rows.hpp"

namespace skerry::ops {

bool channels_last(const Node& node);
/// The shape of input x with channels first, however it stands.
Shape planes_first(const Node& node, const Shape& x);

/// The input whose memory the result of a convolution may take: a residual, which its kernels for channels last read
/// where they write, just before. -1 where there is none.
int overwritten_residual(const Node& node);

/// Attribute `packed` of a convolution for channels last, [panel, lanes]: its weights stand as
/// kernels::pack_pixel_weights left them, in a tensor of their usual shape. Empty without it.
std::optional<kernels::PixelPanels> packed_pixels(const Node& node);
/// True where kernels will want the weights of this node so on every input, as far as is known yet.
bool wants_packed_pixels(const Graph& graph, const Node& node);

/// A type rule that thinks of channels first, used for either.
void infer_either(TypeContext& context, void (*rule)(TypeContext&));

/// A row whose kernel takes channels first alone.
template <Cost (*can)(const Node&, const NodeTypes&)>
Cost planes_only(const Node& node, const NodeTypes& types) {
  if (channels_last(node)) return Unexpected{"channels stand last"};
  return can(node, types);
}

/// float32 kernels for channels last.
Cost can_pixel_conv(const Node& node, const NodeTypes& types);
Prepared prepare_pixel_conv(const Node& node, const NodeTypes& types);
Cost can_winograd(const Node& node, const NodeTypes& types);
Prepared prepare_winograd(const Node& node, const NodeTypes& types);
Cost can_pixel_depthwise(const Node& node, const NodeTypes& types);
Prepared prepare_pixel_depthwise(const Node& node, const NodeTypes& types);
Cost can_pixel_pool(const Node& node, const NodeTypes& types);
Prepared prepare_pixel_max(const Node& node, const NodeTypes& types);
Prepared prepare_pixel_average(const Node& node, const NodeTypes& types);
Cost can_pixel_mean(const Node& node, const NodeTypes& types);
Prepared prepare_pixel_mean(const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
