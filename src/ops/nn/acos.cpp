#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord acos_record;
const OpRecord acos_record = unary_record<kernels::Unary::acos_>("Acos", 22, "The arccosine of each element. Reals.");

}  // namespace skerry::ops
