/// \file
/// Kernels of f32 for tensors of f16 and bf16: arithmetic is that of f32, results are rounded where they are stored.
#pragma once

#include <functional>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// The kernel that `prepare` makes of a node's types with f32 for every f16 and bf16. Constants are widened for
/// preparing; what the kernel has packed is not read again. All else is widened into scratch in each run, outputs are
/// rounded from there. Precondition: at most 8 inputs and 4 outputs.
/// Outputs of other types stay what they are.
Prepared prepare_widened(const NodeTypes& types, const std::function<Prepared(const NodeTypes&)>& prepare);

/// A row for any record: its own first kernel that takes the node's types with f32 for every f16 and bf16.
Expected<std::vector<kernels::Work>> can_through_f32(const Node& node, const NodeTypes& types);
Prepared prepare_through_f32(const Node& node, const NodeTypes& types);
inline constexpr KernelRow kThroughF32 = {"through_f32", can_through_f32, prepare_through_f32};

}  // namespace skerry::ops
