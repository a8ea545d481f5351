#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducel2_record;
const OpRecord reducel2_record = reduction_record<kernels::Reduction::l2>(
    "ReduceL2", 18,
    "The square root of the sum of squares over the axes that the i64 vector `axes` names, all by default (none with "
    "noop_with_empty_axes = 1). keepdims = 1 (default) leaves them with extent 1. Numbers.");

}  // namespace skerry::ops
