#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducemin_record;
const OpRecord reducemin_record = reduction_record<kernels::Reduction::min>(
    "ReduceMin", 20,
    "The smallest element over the axes that the i64 vector `axes` names, all by default (none with "
    "noop_with_empty_axes = 1). keepdims = 1 (default) leaves them with extent 1. Numbers and bool; not-a-number "
    "wins.");

}  // namespace skerry::ops
