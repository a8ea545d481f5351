#include <algorithm>

#include "kernels/tensor/binary.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Picks among shapes that flow as data, where the condition is known.
void follow_data(TypeContext& context) {
  const Tensor* condition = context.constants[0];
  const Dims* yes = known_dims(context, 1);
  const Dims* no = known_dims(context, 2);
  const auto& shape = context.outputs[0].shape;
  if (condition == nullptr || yes == nullptr || no == nullptr || !shape || shape->size() > 1) return;
  const auto chosen = condition->as<bool>();
  const std::size_t count = std::max({chosen.size(), yes->size(), no->size()});
  Dims out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& from = chosen[chosen.size() == 1 ? 0 : i] ? *yes : *no;
    out.push_back(from[from.size() == 1 ? 0 : i]);
  }
  context.output_dims[0] = std::move(out);
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Types<bool>{});
  require_same(context, 1, 2);
  const TensorType& yes = input(context, 1);
  const auto values = broadcast(context.node, yes.shape, input(context, 2).shape);
  set_output(context, 0, yes.dtype, broadcast(context.node, input(context, 0).shape, values));
  follow_data(context);
}

Cost can(const Node&, const NodeTypes& types) {
  if (dtype_bits(types.outputs[0].dtype) < 8) return no_kernel(types.outputs[0].dtype);
  // Elements of four bytes have vectors.
  const int bits = dtype_bits(types.outputs[0].dtype);
  return element_steps(types, bits == 32 ? 0.15 : bits == 64 ? 1.8 : 1.0);
}

constexpr KernelRow kKernels[] = {
    {"where", can,
     [](const Node&, const NodeTypes&) {
       return Prepared{
           [](const KernelArguments& a) { kernels::where(a.inputs[0], a.inputs[1], a.inputs[2], a.outputs[0]); }};
     }},
};

}  // namespace

extern const OpRecord where_record;
const OpRecord where_record = {
    .name = "Where",
    .since_opset = 16,
    .help =
        "y = a where the bool condition holds, else b, under NumPy broadcasting of all three. a and b: one dtype of "
        "whole bytes.",
    .infer = infer,
    .kernels = kKernels,
    .in_place_input = 1};

}  // namespace skerry::ops
