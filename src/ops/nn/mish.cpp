#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord mish_record;
const OpRecord mish_record =
    unary_record<kernels::Unary::mish>("Mish", 22, "x tanh(ln(1 + e^x)), element by element. Reals.");

}  // namespace skerry::ops
