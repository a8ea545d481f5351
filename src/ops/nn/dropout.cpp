#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>

#include "ops/nn/training_modes.hpp"

namespace skerry::ops {

void keep_all(const KernelArguments& a) {
  const TensorView& x = a.inputs[0];
  if (!a.outputs[0].empty() && a.outputs[0].data() != x.data()) std::memcpy(a.outputs[0].data(), x.data(), x.bytes());
  if (a.outputs.size() > 1 && !a.outputs[1].empty()) std::ranges::fill(a.outputs[1].as<bool>(), true);
}

namespace {

// Older forms say by attributes what is now an input, and have nothing to say to inference. Their mask has no meaning
// there.
void upgrade(UpgradeContext& context) {
  Node& node = context.node;
  if (context.from_opset < 10 && node.outputs.size() > 1 && node.outputs[1] != kNoValue)
    throw Error(ErrorCode::unsupported, "the mask of a Dropout below opset 10 is not defined in inference", node.name);
  for (const char* attribute : {"ratio", "is_test", "consumed_inputs"}) node.erase(attribute);
}

void infer(TypeContext& context) {
  drawn_by(context.node);
  require(context, 0, kernels::Reals{});
  if (optional_input(context, 1) != nullptr) require(context, 1, kernels::Reals{});
  if (optional_input(context, 2) != nullptr) require(context, 2, kernels::Types<bool>{});
  same_as_input(context);
  set_output(context, 1, DType::boolean, input(context, 0).shape);
}

Cost can(const Node& node, const NodeTypes& types) {
  return has_input(node, 2) ? can_draw(node, types) : Cost(stream_all(types));
}

bool trains(const KernelArguments& a) {
  return a.inputs.size() > 2 && !a.inputs[2].empty() && a.inputs[2].elements() > 0 && a.inputs[2].as<bool>()[0];
}

Prepared prepare(const Node& node, const NodeTypes&) {
  return {[drawn = drawn_by(node), where = node.name](const KernelArguments& a) {
    trains(a) ? drop_at_random(a, drawn, where) : keep_all(a);
  }};
}

// Unless it is known that it does not train, or drops nothing.
bool draws(const Graph& graph, const Node& node) {
  const auto is_zero = [&](std::size_t input) {
    const auto& constant = graph.value(node.inputs[input]).constant;
    if (!constant || constant->shape().elements() != 1) return false;
    const std::span<const std::byte> bytes(constant->view().data(), constant->view().bytes());
    return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
  };
  return has_input(node, 2) && !is_zero(2) && !(has_input(node, 1) && is_zero(1));
}

constexpr KernelRow kKernels[] = {{"dropout", can, prepare}};

}  // namespace

extern const OpRecord dropout_record;
const OpRecord dropout_record = {
    .name = "Dropout",
    .since_opset = 22,
    .help =
        "y = x, and the mask is true everywhere; where input training_mode is true, each element is 0 with "
        "probability `ratio` (input, default 0.5, below 1) and the others are x / (1 - ratio). With `seed` as "
        "NumPy's RandomState(seed) draws; without, drawn by the run's seed and the node's name. Reals.",
    .inputs = 1,
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0,
    .draws = draws,
};

}  // namespace skerry::ops
