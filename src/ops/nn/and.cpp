#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord and_record;
const OpRecord and_record =
    logic_record<kernels::Logic::logical_and>("And", 7, "c = a and b, under NumPy broadcasting. bool.");

}  // namespace skerry::ops
