#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducel1_record;
const OpRecord reducel1_record = reduction_record<kernels::Reduction::l1>(
    "ReduceL1", 18,
    "The sum of absolute values over the axes that the i64 vector `axes` names, all by default (none with "
    "noop_with_empty_axes = 1). keepdims = 1 (default) leaves them with extent 1. Numbers.");

}  // namespace skerry::ops
