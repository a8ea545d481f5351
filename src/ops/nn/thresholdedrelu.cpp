#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 1.0)};
}

}  // namespace

extern const OpRecord thresholdedrelu_record;
const OpRecord thresholdedrelu_record = unary_record<kernels::Unary::thresholded_relu, parameters>(
    "ThresholdedRelu", 22, "x where x > alpha (1 by default), else 0. Reals.");

}  // namespace skerry::ops
