#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord log_record;
const OpRecord log_record = unary_record<kernels::Unary::log_, no_parameters, Vectors::no>(
    "Log", 13, "y = ln x, element by element; -infinity for 0, not-a-number for negative x. Reals.");

}  // namespace skerry::ops
