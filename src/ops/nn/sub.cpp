#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord sub_record;
const OpRecord sub_record = binary_record<kernels::Binary::sub>(
    "Sub", 14, "c = a - b under NumPy broadcasting. One dtype of number; integers wrap.");

}  // namespace skerry::ops
