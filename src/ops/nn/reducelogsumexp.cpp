#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducelogsumexp_record;
const OpRecord reducelogsumexp_record = reduction_record<kernels::Reduction::log_sum_exp>(
    "ReduceLogSumExp", 28,
    "ln of the sum of e^x over the axes that the i64 vector `axes` names, all by default (none with "
    "noop_with_empty_axes = 1). "
    "keepdims = 1 (default) leaves them with extent 1. Numbers.");

}  // namespace skerry::ops
