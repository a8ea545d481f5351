#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

kernels::UnaryParameters parameters(const Node& node) {
  return {.a = node.real("alpha", 1.67326319217681884765625), .b = node.real("gamma", 1.05070102214813232421875)};
}

}  // namespace

extern const OpRecord selu_record;
const OpRecord selu_record = unary_record<kernels::Unary::selu, parameters>(
    "Selu", 22, "gamma x where x > 0, else gamma alpha (e^x - 1). Reals.");

}  // namespace skerry::ops
