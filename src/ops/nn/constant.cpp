#include <cstring>

#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

template <class To, class From>
Tensor vector_of(const std::vector<From>& values) {
  const std::vector<To> converted(values.begin(), values.end());
  return Tensor::from<To>(converted, Shape{static_cast<std::int64_t>(values.size())});
}

Tensor value_of(const Node& node) {
  if (const Attribute* value = node.find("value")) {
    if (const auto* tensor = std::get_if<Tensor>(value)) return *tensor;
  }
  if (const Attribute* value = node.find("value_floats")) {
    if (const auto* reals = std::get_if<std::vector<double>>(value)) return vector_of<float>(*reals);
  }
  if (node.find("value_ints") != nullptr) return vector_of<std::int64_t>(node.integers("value_ints"));
  if (node.find("value_int") != nullptr) {
    const std::int64_t number = node.integer("value_int", 0);
    return Tensor::from<std::int64_t>(std::span(&number, 1), Shape{});
  }
  if (node.find("value_float") != nullptr) {
    const auto number = static_cast<float>(node.real("value_float", 0.0));
    return Tensor::from<float>(std::span(&number, 1), Shape{});
  }
  refuse(node, "Constant has no value that is a tensor, number or list of numbers");
}

void infer(TypeContext& context) {
  const Tensor value = value_of(context.node);
  const TensorType type = TensorType::of(value.dtype(), value.shape());
  set_output(context, 0, type.dtype, type.shape);
  if (value.dtype() != DType::i64 || value.shape().rank() > 1 || value.shape().elements() > Shape::kMaxRank) return;
  Dims dims;
  for (const std::int64_t number : value.as<std::int64_t>()) dims.push_back(number >= 0 ? Dim(number) : Dim());
  context.output_dims[0] = std::move(dims);
}

Prepared prepare(const Node& node, const NodeTypes&) {
  return {[value = value_of(node)](const KernelArguments& a) {
    std::memcpy(a.outputs[0].data(), value.view().data(), value.view().bytes());
  }};
}

constexpr KernelRow kKernels[] = {{"constant", can_move, prepare}};

}  // namespace

// Importers make constants of the graph from such nodes; one that comes by another way is folded when a plan is made.
extern const OpRecord constant_record;
const OpRecord constant_record = {
    .name = "Constant",
    .since_opset = 25,
    .help =
        "The tensor in attribute `value`, or the number or vector in value_int, value_ints, value_float or "
        "value_floats.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
