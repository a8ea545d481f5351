#include <algorithm>
#include <iterator>
#include <skerry/error.hpp>

#include "kernels/tensor/normalize.hpp"
#include "ops/nn/training_modes.hpp"

namespace skerry::ops {
namespace {

bool trains(const Node& node) {
  return node.integer("training_mode", 0) != 0;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  for (std::size_t i = 0; i < 5; ++i) require(context, i, kernels::Reals{});
  const TensorType& x = input(context, 0);
  if (x.shape && x.shape->size() < 2) refuse(node, "input 0 is " + x.text() + " but needs a batch and a channel axis");
  for (std::size_t i = 1; i < 5; ++i) {
    if (!require_rank(context, i, 1, 1) || !x.shape) continue;
    const Dim &channels = (*x.shape)[1], &found = (*input(context, i).shape)[0];
    if (channels.is_known() && found.is_known() && channels.value != found.value) {
      refuse(node, "input " + std::to_string(i) + " has " + std::to_string(found.value) + " elements for " +
                       std::to_string(channels.value) + " channels");
    }
  }
  same_as_input(context);
  for (std::size_t i = 1; i < context.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    if (!trains(node))
      refuse(node, "outputs after the first exist in training only", "set training_mode, or leave them out");
    const TensorType& like = input(context, i % 2 == 1 ? 3 : 4);
    set_output(context, i, like.dtype, like.shape);
  }
}

// Opsets before 14 say training by the number of outputs, of which the last two are the batch's own mean and variance.
void upgrade(UpgradeContext& context) {
  Node& node = context.node;
  if (node.integer("spatial", 1) == 0) refuse(node, "spatial is 0: one mean per element is not supported");
  constexpr int kTrainingSaid = 14;
  const std::ptrdiff_t wanted = std::ssize(node.outputs) - std::ranges::count(node.outputs, kNoValue);
  if (context.from_opset < kTrainingSaid && wanted > 1) node.set("training_mode", std::int64_t{1});
  for (const char* gone : {"is_test", "spatial", "consumed_inputs"}) node.erase(gone);
}

Cost can_infer(const Node& node, const NodeTypes& types) {
  if (trains(node)) return Unexpected("the node trains");
  return can_stream<kernels::Reals>(node, types);
}

Cost can_train(const Node& node, const NodeTypes& types) {
  if (!trains(node)) return Unexpected("the node does not train");
  constexpr double kSteps = 6.0;
  return element_steps(types, kSteps);
}

constexpr KernelRow kKernels[] = {
    {"batch_normalization", can_infer,
     [](const Node& node, const NodeTypes&) {
       return Prepared{[epsilon = node.real("epsilon", 1e-5)](const KernelArguments& a) {
         kernels::batch_normalization(a.inputs[0], a.inputs[1], a.inputs[2], a.inputs[3], a.inputs[4], epsilon,
                                      a.outputs[0]);
       }};
     }},
    {"batch_normalization_training", can_train, prepare_batch_training},
};

}  // namespace

extern const OpRecord batchnormalization_record;
const OpRecord batchnormalization_record = {
    .name = "BatchNormalization",
    .since_opset = 15,
    .help =
        "scale * (x - mean) / sqrt(variance + epsilon) + bias per channel (axis 1). x: reals of two axes or more; "
        "scale, bias, mean, variance: reals, one element per channel. With training_mode 1 mean and variance are the "
        "batch's own, and outputs 1 and 2 what was given, moved towards them: given * momentum (default 0.9) + own * "
        "(1 - momentum).",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0,
};

}  // namespace skerry::ops
