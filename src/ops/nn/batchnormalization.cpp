#include <skerry/error.hpp>

#include "kernels/tensor/normalize.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

[[noreturn]] void refuse_training(const Node& node, const char* why) {
  throw Error(ErrorCode::unsupported, why, node.name.empty() ? node.op : node.name, "export the model for inference");
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  if (node.integer("training_mode", 0) != 0) refuse_training(node, "training_mode is set");
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
  for (std::size_t i = 1; i < context.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) refuse_training(node, "outputs after the first exist in training only");
  }
  same_as_input(context);
}

// Opsets before 14 said training by `is_test` or by the number of outputs, which inference leaves out.
void upgrade(UpgradeContext& context) {
  for (const char* gone : {"is_test", "spatial", "momentum", "consumed_inputs"}) {
    if (std::string_view(gone) == "spatial" && context.node.integer("spatial", 1) == 0) {
      refuse(context.node, "spatial is 0: one mean per element is not supported");
    }
    context.node.erase(gone);
  }
}

constexpr KernelRow kKernels[] = {
    {"batch_normalization",
     [](const Node& node, const NodeTypes& types) { return can_stream<kernels::Reals>(node, types); },
     [](const Node& node, const NodeTypes&) {
       return Prepared{[epsilon = node.real("epsilon", 1e-5)](const KernelArguments& a) {
         kernels::batch_normalization(a.inputs[0], a.inputs[1], a.inputs[2], a.inputs[3], a.inputs[4], epsilon,
                                      a.outputs[0]);
       }};
     }}};

}  // namespace

extern const OpRecord batchnormalization_record;
const OpRecord batchnormalization_record = {
    .name = "BatchNormalization",
    .since_opset = 15,
    .help =
        "scale * (x - mean) / sqrt(variance + epsilon) + bias per channel (axis 1). x: reals of two axes or more; "
        "scale, "
        "bias, mean, variance: reals, one element per channel. Inference only.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0,
};

}  // namespace skerry::ops
