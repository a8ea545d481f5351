#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord acosh_record;
const OpRecord acosh_record = unary_record<kernels::Unary::acosh_, no_parameters, Vectors::no>(
    "Acosh", 22, "The inverse hyperbolic cosine of each element. Reals.");

}  // namespace skerry::ops
