#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord greater_record;
const OpRecord greater_record = comparison_record<kernels::Comparison::greater>(
    "Greater", 13, "c = (a > b) as bool, under NumPy broadcasting. One dtype of number.");

}  // namespace skerry::ops
