#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord softsign_record;
const OpRecord softsign_record =
    unary_record<kernels::Unary::softsign>("Softsign", 22, "x / (1 + |x|), element by element. Reals.");

}  // namespace skerry::ops
