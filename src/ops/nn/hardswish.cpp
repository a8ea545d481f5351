#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord hardswish_record;
const OpRecord hardswish_record = unary_record<kernels::Unary::hard_swish>(
    "HardSwish", 22, "y = x max(0, min(1, x/6 + 0.5)), element by element. Reals.");

}  // namespace skerry::ops
