#include "ops/nn/upgrading.hpp"

#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void set_input(UpgradeContext& context, std::size_t index, Tensor tensor) {
  const ValueId id = context.add_constant(std::move(tensor));
  auto& inputs = context.node.inputs;
  if (inputs.size() <= index) inputs.resize(index + 1, kNoValue);
  inputs[index] = id;
}

}  // namespace

void set_integers_input(UpgradeContext& context, std::size_t index, std::span<const std::int64_t> values) {
  set_input(context, index, Tensor::from<std::int64_t>(values, Shape{static_cast<std::int64_t>(values.size())}));
}

void integers_to_input(UpgradeContext& context, std::string_view attribute, std::size_t index) {
  if (context.node.find(attribute) == nullptr) return;
  const auto values = context.node.integers(attribute);
  context.node.erase(attribute);
  if (!has_input(context.node, index)) set_integers_input(context, index, values);
}

void real_to_input(UpgradeContext& context, std::string_view attribute, std::size_t index) {
  if (context.node.find(attribute) == nullptr) return;
  const auto value = static_cast<float>(context.node.real(attribute, 0.0));
  context.node.erase(attribute);
  if (!has_input(context.node, index)) set_input(context, index, Tensor::from<float>(std::span(&value, 1), Shape{}));
}

}  // namespace skerry::ops
