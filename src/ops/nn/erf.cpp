#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord erf_record;
const OpRecord erf_record = unary_record<kernels::Unary::erf_>(
    "Erf", 13, "y = 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x, element by element. Reals.");

}  // namespace skerry::ops
