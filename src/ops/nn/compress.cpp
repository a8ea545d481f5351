#include <algorithm>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  require(context, 1, kernels::Types<bool>{});
  Dim count;
  if (context.constants[1] != nullptr) count = Dim(std::ranges::count(context.constants[1]->as<bool>(), true));
  if (context.node.find("axis") == nullptr) return set_output(context, 0, x.dtype, Dims{count});
  std::optional<Dims> out = x.shape;
  if (out) (*out)[normal_axis(context.node, context.node.integer("axis", 0), out->size())] = count;
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const auto condition = a.inputs[1].as<bool>();
  const Shape flat{x.elements()};
  const bool by_axis = node.find("axis") != nullptr;
  const Shape shape = by_axis ? x.shape() : flat;
  const AxisLoops l(shape,
                    by_axis ? normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(shape.rank())) : 0);
  std::int64_t to = 0;
  if (static_cast<std::int64_t>(condition.size()) > l.length &&
      std::ranges::count(condition.subspan(static_cast<std::size_t>(l.length)), true) > 0)
    outside("the condition is longer than the axis");
  for (std::int64_t o = 0; o < l.outer; ++o) {
    for (std::int64_t k = 0; k < l.length && k < static_cast<std::int64_t>(condition.size()); ++k) {
      if (!condition[static_cast<std::size_t>(k)]) continue;
      copy_elements(x, (o * l.length + k) * l.inner, a.outputs[0], to, l.inner);
      to += l.inner;
    }
  }
}

// A copy for each place that may be chosen; what is copied is told with the bytes.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  const Shape x = *types.inputs[0].static_shape();
  double runs = static_cast<double>(elements(types.inputs[1]));
  if (node.find("axis") != nullptr) {
    const auto axis = normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(x.rank()));
    runs *= static_cast<double>(AxisLoops(x, axis).outer);
  }
  constexpr double kOfACopy = 12.0;
  return serial_steps(types, kOfACopy * runs);
}
std::uint64_t bytes_of_none(const NodeTypes&) {
  return 0;
}

}  // namespace

extern const OpRecord compress_record;
const OpRecord compress_record = {
    .name = "Compress",
    .since_opset = 28,
    .help =
        "The slices along `axis` (of the flattened x where it is left out) at which condition is true. Any dtype of "
        "whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_none>,
};

}  // namespace skerry::ops
