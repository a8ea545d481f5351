#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord round_record;
const OpRecord round_record = unary_record<kernels::Unary::round_, no_parameters, Vectors::yes>(
    "Round", 22, "Each element rounded to an integer, ties to even. Reals.");

}  // namespace skerry::ops
