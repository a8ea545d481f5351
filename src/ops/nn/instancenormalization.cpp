#include "ops/nn/normalised_groups.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  normalise_groups(arguments.inputs[0].shape()[1], node, arguments);
}

constexpr KernelRow kKernels[] = {{"group_normalization_f32",
                                   [](const Node&, const NodeTypes& types) {
                                     return can_normalised_groups((*types.inputs[0].static_shape())[1], types);
                                   },
                                   [](const Node& node, const NodeTypes& types) {
                                     return prepare_normalised_groups((*types.inputs[0].static_shape())[1], node,
                                                                      types);
                                   }},
                                  kThroughF32,
                                  kReference<run>[0]};

}  // namespace

extern const OpRecord instancenormalization_record;
const OpRecord instancenormalization_record = {
    .name = "InstanceNormalization",
    .since_opset = 22,
    .help = "(x - mean) / sqrt(variance + epsilon) * scale + B for each plane of [N, C, space]. Reals.",
    .inputs = 3,
    .infer = infer_normalised_groups,
    .kernels = kKernels,
};

}  // namespace skerry::ops
