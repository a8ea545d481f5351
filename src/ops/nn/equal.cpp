#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord equal_record;
const OpRecord equal_record =
    comparison_record<kernels::Comparison::equal>("Equal", 19,
                                                  "c = (a = b) as bool, under NumPy broadcasting. One dtype of number, "
                                                  "bool, or strings; not-a-number equals nothing.");

}  // namespace skerry::ops
