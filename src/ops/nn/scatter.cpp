#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  refuse(context.node, "Scatter is an older form", "write ScatterElements");
}

}  // namespace

extern const OpRecord scatter_record;
const OpRecord scatter_record = {
    .name = "Scatter",
    .since_opset = 11,
    .help = "The older name of ScatterElements, as which it is read.",
    .infer = infer,
    .upgrade = [](UpgradeContext& context) { context.node.op = "ScatterElements"; },
};

}  // namespace skerry::ops
