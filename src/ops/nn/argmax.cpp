#include "ops/nn/arg_extreme.hpp"

namespace skerry::ops {

extern const OpRecord argmax_record;
const OpRecord argmax_record = arg_extreme_record<true>(
    "ArgMax", 13,
    "The i64 place of the largest element along `axis` (default 0): of equal ones the first, or the last with "
    "select_last_index = 1. keepdims = 1 (default) leaves the axis with extent 1. Numbers.");

}  // namespace skerry::ops
