#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord lessorequal_record;
const OpRecord lessorequal_record = comparison_record<kernels::Comparison::less_or_equal>(
    "LessOrEqual", 16, "c = (a <= b) as bool, under NumPy broadcasting. One dtype of number.");

}  // namespace skerry::ops
