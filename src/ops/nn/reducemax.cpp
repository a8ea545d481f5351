#include "ops/nn/reduction.hpp"

namespace skerry::ops {

extern const OpRecord reducemax_record;
const OpRecord reducemax_record =
    reduction_record<kernels::Reduction::max>("ReduceMax", 20,
                                              "The largest element over the axes that the i64 vector `axes` names, all "
                                              "by default (none with noop_with_empty_axes = 1). keepdims = 1 (default) "
                                              "leaves them with extent 1. Numbers and bool; not-a-number wins.");

}  // namespace skerry::ops
