#include "ops/nn/normalised_groups.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  normalise_groups(node.integer("num_groups", 1), node, arguments);
}

}  // namespace

extern const OpRecord groupnormalization_record;
const OpRecord groupnormalization_record = {
    .name = "GroupNormalization",
    .since_opset = 21,
    .help = "Channels of [N, C, space] normalised in num_groups groups, then scale[c] and bias[c]. Reals.",
    .inputs = 3,
    .infer = infer_normalised_groups,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
