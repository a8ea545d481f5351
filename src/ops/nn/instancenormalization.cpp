#include "ops/nn/normalised_groups.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  normalise_groups(arguments.inputs[0].shape()[1], node, arguments);
}

}  // namespace

extern const OpRecord instancenormalization_record;
const OpRecord instancenormalization_record = {
    .name = "InstanceNormalization",
    .since_opset = 22,
    .help = "(x - mean) / sqrt(variance + epsilon) * scale + B for each plane of [N, C, space]. Reals.",
    .inputs = 3,
    .infer = infer_normalised_groups,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
