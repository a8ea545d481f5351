#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord max_record;
const OpRecord max_record = binary_record<kernels::Binary::maximum, Arity::any>(
    "Max", 13,
    "The largest of one or more inputs, element by element, under NumPy "
    "broadcasting; not-a-number wins. One dtype of number.");

}  // namespace skerry::ops
