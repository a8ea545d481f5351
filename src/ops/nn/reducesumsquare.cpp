#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducesumsquare_record;
const OpRecord reducesumsquare_record = reduction_record<kernels::Reduction::sum_square>(
    "ReduceSumSquare", 18,
    "The sum of squares over the axes that the i64 vector `axes` names, all by default (none with noop_with_empty_axes "
    "= 1). keepdims = 1 (default) leaves them with extent 1. Numbers; integers wrap.");

}  // namespace skerry::ops
