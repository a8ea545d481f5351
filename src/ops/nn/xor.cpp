#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord xor_record;
const OpRecord xor_record =
    logic_record<kernels::Logic::logical_xor>("Xor", 7, "c = a or b but not both, under NumPy broadcasting. bool.");

}  // namespace skerry::ops
