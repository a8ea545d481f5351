#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 0.01F)};
}

}  // namespace

extern const OpRecord leakyrelu_record;
const OpRecord leakyrelu_record = unary_record<kernels::Unary::leaky_relu, parameters>(
    "LeakyRelu", 16, "y = x where x >= 0, else alpha x (default 0.01), element by element. Reals.");

}  // namespace skerry::ops
