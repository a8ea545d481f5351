#include "ops/nn/unary.hpp"

namespace skerry::ops {

extern const OpRecord sigmoid_record;
const OpRecord sigmoid_record =
    unary_record<kernels::Unary::sigmoid>("Sigmoid", 13, "y = 1 / (1 + exp(-x)), element by element. Reals.");

}  // namespace skerry::ops
