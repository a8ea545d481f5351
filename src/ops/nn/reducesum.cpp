#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducesum_record;
const OpRecord reducesum_record = reduction_record<kernels::Reduction::sum>(
    "ReduceSum", 13,
    "The sum over the axes that the i64 vector `axes` names, all by default (none with noop_with_empty_axes = 1). "
    "keepdims = 1 (default) leaves them with extent 1. Numbers; integers wrap.");

}  // namespace skerry::ops
