/// \file
/// Pixels as channels and back: SpaceToDepth and DepthToSpace.
#pragma once

#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {

/// The attribute blocksize. Errors: type_mismatch.
std::int64_t block_size(const Node& node);
/// Moves [N, C b b, H, W] to [N, C, H b, W b], or back where to_depth; which channel a pixel of a block becomes, mode
/// says (DCR or CRD).
Cost can_move_blocks(const Node& node, const NodeTypes& types);
Prepared prepare_moved_blocks(const Node& node, const NodeTypes& types, bool to_depth);

template <bool ToDepth>
inline constexpr KernelRow kBlockKernels[] = {
    {"channel_blocks", can_move_blocks,
     [](const Node& node, const NodeTypes& types) { return prepare_moved_blocks(node, types, ToDepth); }}};

}  // namespace skerry::ops
