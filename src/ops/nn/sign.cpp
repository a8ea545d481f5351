#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord sign_record;
const OpRecord sign_record = unary_record<kernels::Unary::sign, no_parameters, Vectors::no>(
    "Sign", 13, "y = -1, 0 or 1 as x is below, at or above 0, element by element. Reals and integers.");

}  // namespace skerry::ops
