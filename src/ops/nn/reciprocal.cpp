#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord reciprocal_record;
const OpRecord reciprocal_record =
    unary_record<kernels::Unary::reciprocal>("Reciprocal", 13, "y = 1 / x, element by element. Reals.");

}  // namespace skerry::ops
