#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord floor_record;
const OpRecord floor_record = unary_record<kernels::Unary::floor_>(
    "Floor", 13, "y = the largest integer not above x, element by element. Reals.");

}  // namespace skerry::ops
