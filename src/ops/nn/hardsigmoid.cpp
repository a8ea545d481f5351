#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 0.2F), .b = node.real("beta", 0.5)};
}

}  // namespace

extern const OpRecord hardsigmoid_record;
const OpRecord hardsigmoid_record = unary_record<kernels::Unary::hard_sigmoid, parameters>(
    "HardSigmoid", 22,
    "y = max(0, min(1, alpha x + beta)) with alpha 0.2 and beta 0.5 by default, element by element. Reals.");

}  // namespace skerry::ops
