#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord add_record;
const OpRecord add_record = binary_record<kernels::Binary::add>(
    "Add", 14, "c = a + b under NumPy broadcasting. One dtype of number; integers wrap.");

}  // namespace skerry::ops
