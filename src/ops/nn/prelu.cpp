#include "ops/nn/binary.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Before opset 7 a slope of several elements was one per channel, axis 1.
void upgrade(UpgradeContext& context) {
  if (context.from_opset < 7) context.node.set("axis", std::int64_t{1});
  context.node.erase("consumed_inputs");
}

// A slope of one element is for all channels, also where x has no axis 1.
bool is_per_channel(const Node& node, const TensorType& slope) {
  return node.find("axis") != nullptr && slope.shape && !(product(*slope.shape, 0, slope.shape->size()) == Dim(1));
}

Node as_broadcast(Node node, const TensorType& slope) {
  if (!is_per_channel(node, slope)) node.erase("axis");
  return node;
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require_same(context, 0, 1);
  const TensorType& x = input(context, 0);
  const Node node = as_broadcast(context.node, input(context, 1));
  const auto shape = broadcast(node, x.shape, aligned(node, x, input(context, 1)));
  if (shape && shape->size() != x.shape->size())
    refuse(node, "the slope " + input(context, 1).text() + " has more axes than " + x.text());
  set_output(context, 0, x.dtype, x.shape);
}

using kernels::Binary;

template <ApplyBinary Apply>
Prepared prepare(const Node& node, const NodeTypes& types) {
  return prepare_binary(Apply, Binary::prelu, as_broadcast(node, types.inputs[1]));
}

constexpr KernelRow kKernels[] = {
    {"binary_f32", [](const Node&, const NodeTypes& types) { return can_binary_f32(Binary::prelu, types); },
     prepare<kernels::binary_f32>},
    {"binary_half", [](const Node&, const NodeTypes& types) { return can_binary_half(Binary::prelu, types); },
     prepare<kernels::binary_half>},
    {"binary_ref", [](const Node&, const NodeTypes& types) { return can_binary_ref(Binary::prelu, types); },
     prepare<kernels::binary>},
};

}  // namespace

extern const OpRecord prelu_record;
const OpRecord prelu_record = {
    .name = "PRelu",
    .since_opset = 16,
    .help =
        "y = x where x >= 0, else slope x, element by element; the slope is stretched to x's shape. One dtype of "
        "number.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0};

}  // namespace skerry::ops
