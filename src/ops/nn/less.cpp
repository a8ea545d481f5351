#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord less_record;
const OpRecord less_record = comparison_record<kernels::Comparison::less>(
    "Less", 13, "c = (a < b) as bool, under NumPy broadcasting. One dtype of number.");

}  // namespace skerry::ops
