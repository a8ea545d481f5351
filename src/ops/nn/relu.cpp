#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord relu_record;
const OpRecord relu_record =
    unary_record<kernels::Unary::relu>("Relu", 14, "y = max(x, 0), element by element. Reals and integers.");

}  // namespace skerry::ops
