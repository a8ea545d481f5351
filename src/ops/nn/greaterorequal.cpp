#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord greaterorequal_record;
const OpRecord greaterorequal_record = comparison_record<kernels::Comparison::greater_or_equal>(
    "GreaterOrEqual", 16, "c = (a >= b) as bool, under NumPy broadcasting. One dtype of number.");

}  // namespace skerry::ops
