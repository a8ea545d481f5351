#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord asinh_record;
const OpRecord asinh_record = unary_record<kernels::Unary::asinh_, no_parameters, Vectors::no>(
    "Asinh", 22, "The inverse hyperbolic sine of each element. Reals.");

}  // namespace skerry::ops
