#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 1.0)};
}

}  // namespace

extern const OpRecord elu_record;
const OpRecord elu_record = unary_record<kernels::Unary::elu, parameters>(
    "Elu", 22, "y = x where x >= 0, else alpha (e^x - 1) (alpha is 1 by default), element by element. Reals.");

}  // namespace skerry::ops
