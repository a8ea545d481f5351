#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>

#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Older forms say by attributes what is now an input, and have nothing to say to inference. Their mask has no meaning
// there.
void upgrade(UpgradeContext& context) {
  Node& node = context.node;
  if (context.from_opset < 10 && node.outputs.size() > 1 && node.outputs[1] != kNoValue)
    throw Error(ErrorCode::unsupported, "the mask of a Dropout below opset 10 is not defined in inference", node.name);
  for (const char* attribute : {"ratio", "is_test", "consumed_inputs"}) node.erase(attribute);
}

std::optional<double> constant_number(const Tensor* tensor) {
  if (tensor == nullptr || tensor->shape().elements() != 1) return std::nullopt;
  double value = 0.0;
  kernels::visit(kernels::NumbersAndBool{}, tensor->dtype(),
                 [&]<class T>() { value = kernels::convert<double>(tensor->as<T>()[0]); });
  return value;
}

const Tensor* constant(std::span<const Tensor* const> constants, std::size_t index) {
  return index < constants.size() ? constants[index] : nullptr;
}

bool trains(std::optional<double> training_mode, std::optional<double> ratio) {
  return training_mode && *training_mode != 0.0 && (!ratio || *ratio != 0.0);
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  if (optional_input(context, 2) != nullptr) require(context, 2, kernels::Types<bool>{});
  const bool has_ratio = has_input(context.node, 1);
  const auto ratio = has_ratio ? constant_number(constant(context.constants, 1)) : std::optional(0.5);
  if (trains(constant_number(constant(context.constants, 2)), ratio))
    refuse(context.node, "Dropout with training_mode drops elements at random", "export the model for inference");
  same_as_input(context);
  set_output(context, 1, DType::boolean, input(context, 0).shape);
}

Cost can(const Node&, const NodeTypes& types) {
  return stream_all(types);
}

void run(const KernelArguments& a) {
  const TensorView& x = a.inputs[0];
  const auto view = [&a](std::size_t i) { return i < a.inputs.size() ? a.inputs[i] : TensorView(); };
  const auto number = [](const TensorView& given) {
    double value = 0.5;  // the ratio where none is given
    if (!given.empty()) {
      kernels::visit(kernels::NumbersAndBool{}, given.dtype(),
                     [&]<class T>() { value = kernels::convert<double>(given.as<T>()[0]); });
    }
    return value;
  };
  if (!view(2).empty() && view(2).as<bool>()[0] && number(view(1)) != 0.0)
    throw Error(ErrorCode::unsupported, "Dropout with training_mode drops elements at random", "training_mode",
                "export the model for inference");
  if (!a.outputs[0].empty() && a.outputs[0].data() != x.data()) std::memcpy(a.outputs[0].data(), x.data(), x.bytes());
  if (a.outputs.size() > 1 && !a.outputs[1].empty()) std::ranges::fill(a.outputs[1].as<bool>(), true);
}

constexpr KernelRow kKernels[] = {
    {"dropout", can, [](const Node&, const NodeTypes&) { return Prepared{run}; }},
};

}  // namespace

extern const OpRecord dropout_record;
const OpRecord dropout_record = {
    .name = "Dropout",
    .since_opset = 22,
    .help = "Inference: y = x, and the mask is true everywhere. training_mode must be false (or the ratio 0). Reals.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0};

}  // namespace skerry::ops
