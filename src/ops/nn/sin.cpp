#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord sin_record;
const OpRecord sin_record = unary_record<kernels::Unary::sin_>("Sin", 22, "The sine of each element. Reals.");

}  // namespace skerry::ops
