#include "kernels/tensor/convert.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

Tensor value_of(const Node& node) {
  const Attribute* attribute = node.find("value");
  if (attribute == nullptr) return Tensor(DType::f32, Shape{});
  const auto* value = std::get_if<Tensor>(attribute);
  if (value == nullptr || value->shape().elements() != 1) refuse(node, "value is not a tensor of one element");
  return *value;
}

// A shape may be made in turn: [1, 1, ...] to multiply or to expand.
void follow_data(TypeContext& context, const Tensor& value) {
  const auto& shape = context.outputs[0].shape;
  if (value.dtype() != DType::i64 || !shape || shape->size() != 1 || !shape->front().is_known()) return;
  const std::int64_t number = value.as<std::int64_t>()[0];
  if (shape->front().value <= Shape::kMaxRank)
    context.output_dims[0] = Dims(static_cast<std::size_t>(shape->front().value), number >= 0 ? Dim(number) : Dim());
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Types<std::int64_t>{});
  if (const auto values = constant_integers(context, 0)) {
    for (const std::int64_t extent : *values) {
      if (extent < 0) refuse(context.node, "an extent of " + std::to_string(extent));
    }
  }
  const Tensor value = value_of(context.node);
  set_output(context, 0, value.dtype(), wanted_dims(context, 0));
  follow_data(context, value);
}

Prepared prepare(const Node& node, const NodeTypes&) {
  return {[value = value_of(node)](const KernelArguments& a) { kernels::fill(value.view(), a.outputs[0]); }};
}

Cost can(const Node& node, const NodeTypes& types) {
  if (dtype_bits(types.outputs[0].dtype) < 8) return no_kernel(types.outputs[0].dtype);
  return can_move(node, types);
}

constexpr KernelRow kKernels[] = {{"fill", can, prepare}};

}  // namespace

extern const OpRecord constantofshape_record;
const OpRecord constantofshape_record = {
    .name = "ConstantOfShape",
    .since_opset = 25,
    .help =
        "A tensor of the extents in the i64 vector x, every element the one of `value` (default f32 0), whose dtype "
        "it has. Any dtype of whole bytes.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
