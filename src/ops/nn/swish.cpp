#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 1.0)};
}

}  // namespace

extern const OpRecord swish_record;
const OpRecord swish_record =
    unary_record<kernels::Unary::swish, parameters>("Swish", 24, "x / (1 + e^(-alpha x)), alpha 1 by default. Reals.");

}  // namespace skerry::ops
