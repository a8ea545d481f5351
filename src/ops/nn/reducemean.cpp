#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducemean_record;
const OpRecord reducemean_record = reduction_record<kernels::Reduction::mean>(
    "ReduceMean", 18,
    "The mean over the axes that the i64 vector `axes` names, all by default (none with noop_with_empty_axes = 1). "
    "keepdims = 1 (default) leaves them with extent 1. Numbers; of integers rounded to 0.");

}  // namespace skerry::ops
