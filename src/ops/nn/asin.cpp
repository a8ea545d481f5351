#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord asin_record;
const OpRecord asin_record = unary_record<kernels::Unary::asin_>("Asin", 22, "The arcsine of each element. Reals.");

}  // namespace skerry::ops
