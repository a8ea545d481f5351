#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducelogsum_record;
const OpRecord reducelogsum_record =
    reduction_record<kernels::Reduction::log_sum>("ReduceLogSum", 28,
                                                  "ln of the sum over the axes that the i64 vector `axes` "
                                                  "names, all by default (none with noop_with_empty_axes = 1). "
                                                  "keepdims = 1 (default) leaves them with extent 1. Numbers.");

}  // namespace skerry::ops
