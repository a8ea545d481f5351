#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 1.0)};
}

}  // namespace

extern const OpRecord celu_record;
const OpRecord celu_record = unary_record<kernels::Unary::celu, parameters>(
    "Celu", 28, "max(0, x) + min(0, alpha (e^(x / alpha) - 1)), alpha 1 by default. Reals.");

}  // namespace skerry::ops
