/// \file
/// Pixels as channels and back: SpaceToDepth and DepthToSpace.
#pragma once

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// The attribute blocksize. Errors: type_mismatch.
std::int64_t block_size(const Node& node);
/// Calls copy(deep, wide) with the place of each element in [N, C b b, H, W] and in [N, C, H b, W b]; which channel a
/// pixel of a block becomes, mode says (DCR or CRD).
template <class Copy>
void for_block_places(const Node& node, const Shape& deep, const Shape& wide, Copy&& copy) {
  const std::int64_t b = block_size(node);
  const bool columns_last = node.text("mode", "DCR") == "DCR";
  const Longs strides = strides_of(deep);
  Position at(wide);
  for (std::int64_t i = 0; i < wide.elements(); ++i, at.next()) {
    const std::int64_t y = at[2] % b, x = at[3] % b;
    const std::int64_t channel = columns_last ? (y * b + x) * wide[1] + at[1] : (at[1] * b + y) * b + x;
    copy(at[0] * strides[0] + channel * strides[1] + at[2] / b * strides[2] + at[3] / b, i);
  }
}

}  // namespace skerry::ops
