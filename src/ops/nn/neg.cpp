#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord neg_record;
const OpRecord neg_record =
    unary_record<kernels::Unary::neg>("Neg", 13, "y = -x, element by element. Reals and integers; integers wrap.");

}  // namespace skerry::ops
