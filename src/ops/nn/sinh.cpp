#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord sinh_record;
const OpRecord sinh_record = unary_record<kernels::Unary::sinh_, no_parameters, Vectors::no>(
    "Sinh", 22, "The hyperbolic sine of each element. Reals.");

}  // namespace skerry::ops
