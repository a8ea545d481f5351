#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord exp_record;
const OpRecord exp_record = unary_record<kernels::Unary::exp_>("Exp", 13, "y = e^x, element by element. Reals.");

}  // namespace skerry::ops
