#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord softplus_record;
const OpRecord softplus_record = unary_record<kernels::Unary::softplus, no_parameters, Vectors::no>(
    "Softplus", 22, "y = ln(1 + e^x), element by element, without overflow. Reals.");

}  // namespace skerry::ops
