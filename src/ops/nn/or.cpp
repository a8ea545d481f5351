#include "ops/nn/comparison.hpp"

namespace skerry::ops {

extern const OpRecord or_record;
const OpRecord or_record =
    logic_record<kernels::Logic::logical_or>("Or", 7, "c = a or b, under NumPy broadcasting. bool.");

}  // namespace skerry::ops
