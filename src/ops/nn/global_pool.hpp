/// \file
/// What the global pools share: one reduction over all of space.
#pragma once

#include "kernels/tensor/reduce.hpp"
#include "ops/nn/kernel_rows.hpp"

namespace skerry::ops {

/// [N, C, space] -> [N, C, 1, ...]; reals.
void infer_global_pool(TypeContext& context);
Cost can_global_pool_f32(const Node& node, const NodeTypes& types);
Cost can_global_pool_ref(const Node& node, const NodeTypes& types);
Prepared prepare_global_pool_f32(kernels::Reduction reduction, const NodeTypes& types);
Prepared prepare_global_pool_ref(kernels::Reduction reduction, const NodeTypes& types);

}  // namespace skerry::ops
