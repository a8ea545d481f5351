#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord tan_record;
const OpRecord tan_record =
    unary_record<kernels::Unary::tan_, no_parameters, Vectors::no>("Tan", 22, "The tangent of each element. Reals.");

}  // namespace skerry::ops
