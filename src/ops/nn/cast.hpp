/// \file
/// Kernels of Cast and CastLike.
#pragma once

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Kernel rows from input 0 to output 0's dtype; saturate (default 1) is read from the node.
std::span<const KernelRow> cast_kernels();
/// What is from or to strings: numbers as numpy writes them, and strings that are wholly a number. Errors:
/// type_mismatch.
std::vector<Datum> cast_texts(DataNode& context);

}  // namespace skerry::ops
