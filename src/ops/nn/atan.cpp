#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord atan_record;
const OpRecord atan_record = unary_record<kernels::Unary::atan_>("Atan", 22, "The arctangent of each element. Reals.");

}  // namespace skerry::ops
