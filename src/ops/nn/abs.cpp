#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord abs_record;
const OpRecord abs_record = unary_record<kernels::Unary::abs_>(
    "Abs", 13, "y = |x|, element by element. Reals and integers; the smallest signed integer stays itself.");

}  // namespace skerry::ops
