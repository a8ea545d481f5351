#include "ops/nn/channel_blocks.hpp"

#include <array>

#include "kernels/tensor/movement.hpp"

namespace skerry::ops {

std::int64_t block_size(const Node& node) {
  const std::int64_t b = node.integer("blocksize", 0);
  if (b < 1 || b > 65536) refuse(node, "blocksize is " + std::to_string(b), "it must be from 1 to 65536");
  return b;
}

Cost can_move_blocks(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  constexpr double kOfAnElement = 0.8;  // neighbours of one side are not those of the other
  return element_steps(types, kOfAnElement);
}

Prepared prepare_moved_blocks(const Node& node, const NodeTypes&, bool to_depth) {
  return {[b = block_size(node), columns_last = node.text("mode", "DCR") == "DCR", to_depth](const KernelArguments& a) {
    const Shape wide = to_depth ? a.inputs[0].shape() : a.outputs[0].shape();
    const std::int64_t n = wide[0], c = wide[1], h = wide[2] / b, w = wide[3] / b, plane = h * w;
    // A pixel's places, axis by axis: image, channel, row, row in the block, column in the block, column.
    const std::array<std::int64_t, 6> dims = {n, c, h, b, b, w};
    const std::int64_t of_channel = columns_last ? plane : b * b * plane, of_block = columns_last ? c * plane : plane;
    const std::array<std::int64_t, 6> in_deep = {c * b * b * plane, of_channel, w, b * of_block, of_block, 1},
                                      in_wide = {c * b * b * plane, b * b * plane, b * w * b, w * b, 1, b};
    const auto width = static_cast<std::size_t>(dtype_bits(a.inputs[0].dtype())) / 8;
    kernels::copy_strided(a.inputs[0].data(), to_depth ? in_wide : in_deep, a.outputs[0].data(),
                          to_depth ? in_deep : in_wide, dims, width);
  }};
}

}  // namespace skerry::ops
