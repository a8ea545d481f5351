#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord atanh_record;
const OpRecord atanh_record = unary_record<kernels::Unary::atanh_, no_parameters, Vectors::no>(
    "Atanh", 22, "The inverse hyperbolic tangent of each element. Reals.");

}  // namespace skerry::ops
