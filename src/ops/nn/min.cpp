#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord min_record;
const OpRecord min_record = binary_record<kernels::Binary::minimum, Arity::any>(
    "Min", 13,
    "The smallest of one or more inputs, element by element, under NumPy "
    "broadcasting; not-a-number wins. One dtype of number.");

}  // namespace skerry::ops
