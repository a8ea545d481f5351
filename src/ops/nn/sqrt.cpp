#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord sqrt_record;
const OpRecord sqrt_record = unary_record<kernels::Unary::sqrt_>(
    "Sqrt", 13, "y = x^(1/2), element by element; not-a-number for negative x. Reals.");

}  // namespace skerry::ops
