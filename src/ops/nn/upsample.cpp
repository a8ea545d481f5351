#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Resize that looks at the corner of each element.
void upgrade(UpgradeContext& context) {
  Node& node = context.node;
  if (node.inputs.size() < 2) refuse(node, "Upsample needs input 1", "scales are an input from opset 9 on");
  node.op = "Resize";
  node.inputs = {node.inputs[0], kNoValue, node.inputs[1]};
  node.set("coordinate_transformation_mode", std::string("asymmetric"));
  node.set("nearest_mode", std::string("floor"));
}

void infer(TypeContext& context) {
  refuse(context.node, "Upsample is an older form", "write Resize");
}

}  // namespace

extern const OpRecord upsample_record;
const OpRecord upsample_record = {
    .name = "Upsample",
    .since_opset = 10,
    .help = "x scaled by `scales` (input 1): nearest or linear, each element by its corner. Read as Resize.",
    .infer = infer,
    .upgrade = upgrade,
};

}  // namespace skerry::ops
