#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reduceprod_record;
const OpRecord reduceprod_record = reduction_record<kernels::Reduction::prod>(
    "ReduceProd", 18,
    "The product over the axes that the i64 vector `axes` names, all by default (none with noop_with_empty_axes = 1). "
    "keepdims = 1 (default) leaves them with extent 1. Numbers; integers wrap.");

}  // namespace skerry::ops
