#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord cos_record;
const OpRecord cos_record = unary_record<kernels::Unary::cos_>("Cos", 22, "The cosine of each element. Reals.");

}  // namespace skerry::ops
