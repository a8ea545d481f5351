#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord mul_record;
const OpRecord mul_record = binary_record<kernels::Binary::mul>(
    "Mul", 14, "c = a b, element by element, under NumPy broadcasting. One dtype of number; integers wrap.");

}  // namespace skerry::ops
