#include "ops/nn/normalised_groups.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  normalise_groups(node.integer("num_groups", 1), node, arguments);
}

constexpr KernelRow kKernels[] = {{"group_normalization_f32",
                                   [](const Node& node, const NodeTypes& types) {
                                     return can_normalised_groups(node.integer("num_groups", 1), types);
                                   },
                                   [](const Node& node, const NodeTypes& types) {
                                     return prepare_normalised_groups(node.integer("num_groups", 1), node, types);
                                   }},
                                  kThroughF32,
                                  kReference<run>[0]};

}  // namespace

extern const OpRecord groupnormalization_record;
const OpRecord groupnormalization_record = {
    .name = "GroupNormalization",
    .since_opset = 21,
    .help = "Channels of [N, C, space] normalised in num_groups groups, then scale[c] and bias[c]. Reals.",
    .inputs = 3,
    .infer = infer_normalised_groups,
    .kernels = kKernels,
};

}  // namespace skerry::ops
