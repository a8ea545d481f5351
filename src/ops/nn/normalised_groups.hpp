/// \file
/// Channels normalised in groups: GroupNormalization, and InstanceNormalization, where each is a group.
#pragma once

#include "ops/nn/reference.hpp"

namespace skerry::ops {

void infer_normalised_groups(TypeContext& context);
/// y = (x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c], mean and variance of each group of [N, C, space].
void normalise_groups(std::int64_t groups, const Node& node, const KernelArguments& arguments);

/// f32 in vectors.
Cost can_normalised_groups(std::int64_t groups, const NodeTypes& types);
Prepared prepare_normalised_groups(std::int64_t groups, const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
