#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord cosh_record;
const OpRecord cosh_record = unary_record<kernels::Unary::cosh_, no_parameters, Vectors::no>(
    "Cosh", 22, "The hyperbolic cosine of each element. Reals.");

}  // namespace skerry::ops
