#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord sum_record;
const OpRecord sum_record = binary_record<kernels::Binary::add, Arity::any>(
    "Sum", 13,
    "The sum of one or more inputs, element by element, under NumPy broadcasting. "
    "One dtype of number; added from left to right.");

}  // namespace skerry::ops
