/// \file
/// What the losses over classes share.
#pragma once

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// -weight[target] x[n, target, ...] reduced as the node says; inputs 1 and 2 are targets and weights.
Doubles likelihood_loss(const Node& node, const Doubles& x, const KernelArguments& arguments);

}  // namespace skerry::ops
