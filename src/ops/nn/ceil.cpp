#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord ceil_record;
const OpRecord ceil_record =
    unary_record<kernels::Unary::ceil_>("Ceil", 13, "y = the smallest integer not below x, element by element. Reals.");

}  // namespace skerry::ops
