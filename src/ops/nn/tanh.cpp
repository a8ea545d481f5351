#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord tanh_record;
const OpRecord tanh_record = unary_record<kernels::Unary::tanh_>("Tanh", 13, "y = tanh x, element by element. Reals.");

}  // namespace skerry::ops
