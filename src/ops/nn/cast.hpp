/// \file
/// Kernels of Cast and CastLike.
#pragma once

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Kernel rows from input 0 to output 0's dtype; saturate (default 1) is read from the node.
std::span<const KernelRow> cast_kernels();

}  // namespace skerry::ops
